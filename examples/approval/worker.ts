/** Runs the jobs in its own process. Start as many workers as you need. */
import { createWorker } from "@mcp-jobs/mcp-jobs";
import { openBackend } from "../shared/backend.ts";
import { publishReport } from "./jobs.ts";
import { untilStopped } from "../shared/role.ts";

const backend = await openBackend();
const worker = createWorker(backend, [publishReport], { concurrency: 8 });
await untilStopped();
// A task that does not end within 200 ms goes back to the queue for another worker.
await worker.close(200);
await backend.close();
