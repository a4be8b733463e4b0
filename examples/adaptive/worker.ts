/** Runs the jobs in its own process. Start as many workers as you need. */
import { createWorker } from "@mcp-jobs/mcp-jobs";
import { openBackend } from "../shared/backend.ts";
import { generateReport } from "../shared/jobs.ts";
import { untilStopped } from "../shared/role.ts";
import { rebuildIndex } from "./jobs.ts";

const backend = await openBackend();
const worker = createWorker(backend, [generateReport, rebuildIndex], { concurrency: 8 });
await untilStopped();
// A task that does not end within 200 ms goes back to the queue for another worker.
await worker.close(200);
await backend.close();
