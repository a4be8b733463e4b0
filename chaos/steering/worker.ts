/** A worker of the steering run: says "ready", and works until its stdin ends or it is killed. */
import { createWorker } from "../../src/worker.ts";
import { openBackend } from "../../tools/place.ts";
import { LEASE_MS } from "../job.ts";
import { held, limited, timed } from "./jobs.ts";

const [name = "", folder = ""] = Deno.args;
await using backend = await openBackend(name, folder, LEASE_MS);
await using worker = createWorker(backend, [limited, held, timed], { concurrency: 8, grace: 1_000 });
await worker.ready;
console.log("ready");
for await (const _ of Deno.stdin.readable);
