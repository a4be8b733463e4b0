/** Offers the job as one tool that is a native MCP task; the result is also a resource. */
import { AsyncToolServer, OperationResourceStrategy } from "@mcp-jobs/mcp-jobs";
import { openBackend } from "../shared/backend.ts";
import { generateReport } from "../shared/jobs.ts";

const server = new AsyncToolServer({
  name: "approach3",
  version: "1.0.0",
  backend: await openBackend(),
  strategy: new OperationResourceStrategy(),
});
server.registerAsyncTool(generateReport);
await server.run();
