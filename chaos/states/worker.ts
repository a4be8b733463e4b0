/** A worker of the lane whose name it is given, with one slot: says "ready", and works until its stdin ends or it is killed. */
import { createWorker } from "../../src/worker.ts";
import { openBackend } from "../../tools/place.ts";
import { LEASE_MS } from "../job.ts";
import { jobsOf } from "./jobs.ts";

const [name = "", folder = "", lane = ""] = Deno.args;
await using backend = await openBackend(name, folder, LEASE_MS);
await using worker = createWorker(backend, jobsOf(lane), { concurrency: 1, grace: 0 });
await worker.ready;
console.log("ready");
for await (const _ of Deno.stdin.readable);
