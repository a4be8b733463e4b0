/**
 * A worker that takes tasks and never ends them, to be killed. Arguments: the Redis, the prefix of its keys, the lease
 * in ms, the job's name. It ends with its stdin, so that it does not outlive the test that started it.
 *
 * @module
 */
import { BullMqBackend, createWorker } from "../../mod.ts";
import { doomedJob } from "../../src/testing.ts";

const [redis = "", prefix = "", lease, name = ""] = Deno.args;
await using backend = await BullMqBackend.connect({ redis, prefix, lease: Number(lease) });
await using worker = createWorker(backend, [doomedJob(name)]);
await worker.ready;
for await (const _ of Deno.stdin.readable);
