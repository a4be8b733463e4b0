/** As approach3, but every change of a task is pushed to the client, which need not poll. */
import { AsyncToolServer, OperationResourceStrategy } from "@mcp-jobs/mcp-jobs";
import { openBackend } from "../shared/backend.ts";
import { generateReport } from "../shared/jobs.ts";

const server = new AsyncToolServer({
  name: "approach3_notify",
  version: "1.0.0",
  backend: await openBackend(),
  strategy: new OperationResourceStrategy({ notifications: true }),
});
server.registerAsyncTool(generateReport);
await server.run();
