// worker.ts: runs the jobs.
import { createWorker, DenoKvBackend } from "@mcp-jobs/mcp-jobs";
import { generateReport } from "./jobs.ts";

const backend = await DenoKvBackend.open({ path: "./data/jobs.kv" });
const worker = createWorker(backend, [generateReport], { concurrency: 8 });

for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, stop);

async function stop(): Promise<void> {
  await worker.close(); // what runs has 30 s to finish; the rest goes back to the queue
  await backend.close();
}
