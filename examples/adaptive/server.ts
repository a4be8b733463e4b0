/** Offers two jobs, and says nothing about clients: the default strategy gives each client the answer that it can use. */
import { AsyncToolServer } from "@mcp-jobs/mcp-jobs";
import { openBackend } from "../shared/backend.ts";
import { generateReport } from "../shared/jobs.ts";
import { rebuildIndex } from "./jobs.ts";

const server = new AsyncToolServer({
  name: "adaptive",
  version: "1.0.0",
  backend: await openBackend(),
  audit: () => {}, // over HTTP, it would be written between the lines of the example
});
server.registerAsyncTool(generateReport);
server.registerAsyncTool(rebuildIndex);
await server.run({ transport: "http", port: 0, onListen: (url) => console.log(url) });
