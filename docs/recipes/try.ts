// try.ts: starts one task of a job, runs it, and prints its result. Nothing is kept.
import { createClient, createWorker, MemoryBackend } from "@mcp-jobs/mcp-jobs";
import { refund } from "./approval.ts";

await using backend = new MemoryBackend();
await using _worker = createWorker(backend, [refund]);
using client = createClient(backend, { owner: "me" });

const task = await client.start(refund, { order: "A-1", amount: 20 });
console.log(await client.wait(task));
