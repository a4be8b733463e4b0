/** A worker that never ends its tasks, to be killed. It ends with its stdin, so that it does not outlive its test. */
import { createWorker, DenoKvBackend } from "@mcp-jobs/mcp-jobs";
import { doomedJob } from "@mcp-jobs/mcp-jobs/testing";

const [options = "", job = ""] = Deno.args;
await using backend = await DenoKvBackend.open(JSON.parse(options));
await using worker = createWorker(backend, [doomedJob(job)]);
await worker.ready;
for await (const _ of Deno.stdin.readable);
