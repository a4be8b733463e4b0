/** A server of the chaos run, on stdio, with a worker of its own. */
import { AsyncToolServer } from "../mod.ts";
import { NO_LIMITS, openBackend } from "../tools/place.ts";
import { approve, HANDLE_AFTER_MS, LEASE_MS, step, STEP_OR_HANDLE } from "./job.ts";

const [name = "", folder = ""] = Deno.args;
const server = new AsyncToolServer({
  name: "chaos",
  version: "1.0.0",
  backend: await openBackend(name, folder, LEASE_MS),
  limits: NO_LIMITS,
});
server.registerAsyncTool(step);
server.registerAsyncTool(approve);
server.registerAsyncTool(step, { name: STEP_OR_HANDLE, answerWithin: HANDLE_AFTER_MS });
// A worker of its own begins tasks with their creation.
await server.run({ worker: { concurrency: 4 } });
