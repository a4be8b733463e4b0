/** A server of the lane whose name it is given, on stdio. */
import { AsyncToolServer } from "../../mod.ts";
import { NO_LIMITS, openBackend } from "../../tools/place.ts";
import { LEASE_MS } from "../job.ts";
import { jobsOf } from "./jobs.ts";

const [name = "", folder = "", lane = ""] = Deno.args;
const server = new AsyncToolServer({
  name: "chaos",
  version: "1.0.0",
  backend: await openBackend(name, folder, LEASE_MS),
  limits: NO_LIMITS,
});
for (const job of jobsOf(lane)) server.registerAsyncTool(job);
await server.run();
