/** A worker of the chaos run: says "ready", and works until its stdin ends or it is killed. */
import { createWorker } from "../mod.ts";
import { openStore } from "./store.ts";
import { step } from "./job.ts";

const [name = "", place = ""] = Deno.args;
await using backend = await openStore(name, place);
await using worker = createWorker(backend, [step], { concurrency: 32, grace: 1_000 });
await worker.ready;
console.log("ready");
for await (const _ of Deno.stdin.readable);
