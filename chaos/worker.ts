/**
 * A worker of the chaos run: says "ready", and works until its stdin ends or it is killed. Workers of chaos runs load no
 * more of the package than a worker needs, because so many of them are started.
 */
import { createWorker } from "../src/worker.ts";
import { openBackend } from "../tools/place.ts";
import { approve, LEASE_MS, step } from "./job.ts";

const [name = "", folder = ""] = Deno.args;
await using backend = await openBackend(name, folder, LEASE_MS);
await using worker = createWorker(backend, [step, approve], { concurrency: 32, grace: 1_000 });
await worker.ready;
console.log("ready");
for await (const _ of Deno.stdin.readable);
