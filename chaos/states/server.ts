/** A server of the lane whose name it is given, on stdio. */
import { AsyncToolServer } from "../../mod.ts";
import { openBackend } from "../../tools/place.ts";
import { jobsOf, LEASE_MS } from "./jobs.ts";

const [name = "", folder = "", lane = ""] = Deno.args;
const server = new AsyncToolServer({
  name: "chaos",
  version: "1.0.0",
  backend: await openBackend(name, folder, LEASE_MS),
  limits: { creationsPerMinute: Infinity, readsPerMinute: Infinity, requestsPerMinute: Infinity, openTasks: Infinity },
});
for (const job of jobsOf(lane)) server.registerAsyncTool(job);
await server.run();
