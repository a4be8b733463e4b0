/** A worker process: says "ready", and works until its stdin ends. */
import { createWorker } from "../mod.ts";
import { openBackend } from "./backends.ts";
import { tick } from "./jobs.ts";

const [name = "", place = ""] = Deno.args;
await using backend = await openBackend(name, place);
await using worker = createWorker(backend, [tick], { concurrency: 64, grace: 0 });
await worker.ready;
console.log("ready");
for await (const _ of Deno.stdin.readable);
