/**
 * A worker that takes tasks and never ends them, to be killed. Arguments: the KV file, the lease in ms, the job's name.
 * It ends with its stdin, so that it does not outlive the test that started it.
 *
 * @module
 */
import { createWorker, defineJob, DenoKvBackend } from "../../mod.ts";

const [path = "", lease, name = ""] = Deno.args;
await using backend = await DenoKvBackend.open({ path, lease: Number(lease) });
const job = defineJob({ name, input: { type: "object" }, run: () => new Promise(() => {}) });
await using worker = createWorker(backend, [job]);
await worker.ready;
for await (const _ of Deno.stdin.readable);
