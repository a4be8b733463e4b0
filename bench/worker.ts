/** A worker process: says "ready", and works until its stdin ends. */
import { createWorker } from "../mod.ts";
import { openBackend } from "../tools/place.ts";
import { tick } from "./jobs.ts";

const [name = "", folder = ""] = Deno.args;
await using backend = await openBackend(name, folder);
await using worker = createWorker(backend, [tick], { concurrency: 100, grace: 0 });
await worker.ready;
console.log("ready");
for await (const _ of Deno.stdin.readable);
