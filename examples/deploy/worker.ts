// worker.ts: runs the jobs. Start as many as you need.
import { createWorker, implement, PostgresBackend } from "@mcp-jobs/mcp-jobs";
import { setTimeout as work } from "node:timers/promises";
import { generateReport } from "./jobs.ts";

const report = implement(generateReport, async ({ user_id }, { progress, signal }) => {
  await progress(0.5, "loading orders");
  await work(500, undefined, { signal });
  return { user_id, revenue: 42000, items: 17 };
});
const backend = await PostgresBackend.connect({ url: Deno.env.get("POSTGRES_URL") ?? "" });
const worker = createWorker(backend, [report], { concurrency: 8 });
await worker.ready;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, stop);

async function stop(): Promise<void> {
  await worker.close(); // Running tasks have 30 s to finish; the rest goes back to the queue.
  await backend.close();
  Deno.exit();
}
