// worker.ts: runs the jobs. Only workers load their code.
import { createWorker, DenoKvBackend, implement } from "@mcp-jobs/mcp-jobs";
import { setTimeout as work } from "node:timers/promises";
import { generateReport } from "./jobs.ts";

const report = implement(generateReport, async ({ user_id }, { progress, signal }) => {
  await progress(0.25, "loading orders");
  await work(500, undefined, { signal }); // pass the signal on: it aborts when the task is cancelled
  await progress(0.9, "writing the report");
  return { user_id, revenue: 42000, items: 17 };
});
const backend = await DenoKvBackend.open({ path: "./data/jobs.kv" });
const worker = createWorker(backend, [report], { concurrency: 8 });

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, stop);

async function stop(): Promise<void> {
  await worker.close(); // running tasks have 30 s to finish; the rest go back to the queue
  await backend.close();
}
