// server.ts: offers the jobs.
import { AsyncToolServer, DenoKvBackend } from "@mcp-jobs/mcp-jobs";
import { generateReport } from "./jobs.ts";

const server = new AsyncToolServer({
  name: "reports",
  version: "1.0.0",
  backend: await DenoKvBackend.open({ path: "./data/jobs.kv" }),
});
server.registerAsyncTool(generateReport);
await server.run();
