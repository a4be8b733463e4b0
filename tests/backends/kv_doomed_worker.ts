/**
 * A worker that takes tasks and never ends them, to be killed. Arguments: the KV file, the lease in ms, the job's name.
 * It ends with its stdin, so that it does not outlive the test that started it.
 *
 * @module
 */
import { createWorker, DenoKvBackend } from "../../mod.ts";
import { doomedJob } from "../../src/testing.ts";

const [path = "", lease, name = ""] = Deno.args;
await using backend = await DenoKvBackend.open({ path, lease: Number(lease) });
await using worker = createWorker(backend, [doomedJob(name)]);
await worker.ready;
for await (const _ of Deno.stdin.readable);
