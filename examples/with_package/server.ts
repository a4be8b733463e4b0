/** Offers the job as polling tools, which every MCP client can use: start, status, result, cancel. */
import { AsyncToolServer, PollingExposureStrategy } from "@mcp-jobs/mcp-jobs";
import { openBackend } from "../shared/backend.ts";
import { generateReport } from "../shared/jobs.ts";

const server = new AsyncToolServer({
  name: "with_package",
  version: "1.0.0",
  backend: await openBackend(),
  strategy: new PollingExposureStrategy(),
});
server.registerAsyncTool(generateReport);
await server.run();
