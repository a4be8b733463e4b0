/** Offers the job. Its task belongs to the store, so any server can pass on the question and the answer. */
import { AsyncToolServer } from "@mcp-jobs/mcp-jobs";
import { openBackend } from "../shared/backend.ts";
import { publishReport } from "./jobs.ts";

const server = new AsyncToolServer({ name: "approval", version: "1.0.0", backend: await openBackend() });
server.registerAsyncTool(publishReport);
await server.run();
