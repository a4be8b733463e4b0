/** A server of the chaos run, on stdio. */
import { AsyncToolServer, OperationResourceStrategy } from "../mod.ts";
import { openBackend } from "../tools/place.ts";
import { LEASE_MS, step } from "./job.ts";

const [name = "", folder = ""] = Deno.args;
const server = new AsyncToolServer({
  name: "chaos",
  version: "1.0.0",
  backend: await openBackend(name, folder, LEASE_MS),
  strategy: new OperationResourceStrategy(),
  // A chaos run is one principal in a great hurry.
  limits: { creationsPerMinute: Infinity, readsPerMinute: Infinity, requestsPerMinute: Infinity, openTasks: Infinity },
});
server.registerAsyncTool(step);
await server.run();
