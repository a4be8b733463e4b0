/** Runs the jobs, in a process of its own. Start as many of them as you need. */
import { createWorker } from "@mcp-jobs/mcp-jobs";
import { openBackend } from "../shared/backend.ts";
import { generateReport } from "../shared/jobs.ts";
import { stopped } from "../shared/role.ts";

await using backend = await openBackend();
// On Ctrl+C a task that does not end within `grace` ms goes back to the queue.
await using _worker = createWorker(backend, [generateReport], { concurrency: 8, grace: 200 });
await stopped();
