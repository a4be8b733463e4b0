/**
 * A worker of the steering run: says "ready", and works until its stdin ends or it is killed. It also creates tasks, which
 * begin with their creation if they may.
 */
import { createClient } from "../../src/client/client.ts";
import { createWorker } from "../../src/worker.ts";
import { openBackend } from "../../tools/place.ts";
import { LEASE_MS } from "../job.ts";
import { held, limited, OWNER, timed } from "./jobs.ts";

const CREATE_MS = 250;

const [name = "", folder = ""] = Deno.args;
await using backend = await openBackend(name, folder, LEASE_MS);
await using worker = createWorker(backend, [limited, held, timed], { concurrency: 8, grace: 1_000 });
await worker.ready;
const client = createClient(backend, { owner: OWNER });
const timer = setInterval(() => {
  // One that is not stored while the database is away is missed by nobody.
  for (const job of [limited, held]) client.start(job, { ms: 20 }).catch(() => {});
}, CREATE_MS);
console.log("ready");
for await (const _ of Deno.stdin.readable);
clearInterval(timer);
