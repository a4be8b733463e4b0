/** A server of the steering run, which keeps the schedule: says "ready", and runs until its stdin ends or it is killed. */
import { AsyncToolServer } from "../../mod.ts";
import { keepingKeys } from "./kept_keys.ts";
import { openBackend } from "../../tools/place.ts";
import { LEASE_MS } from "../job.ts";
import { EVERY_MS, OWNER, SCHEDULE, timed } from "./jobs.ts";

const [name = "", folder = ""] = Deno.args;
await using backend = await openBackend(name, folder, LEASE_MS);
await using server = new AsyncToolServer({ name: "steering", version: "1.0.0", backend: keepingKeys(backend) });
server.registerAsyncTool(timed);
await server.schedule(timed, { name: SCHEDULE, every: EVERY_MS, input: { ms: 1 }, owner: OWNER });
// It begins to serve with its first request.
await server.fetch(new Request("http://localhost/healthz"));
console.log("ready");
for await (const _ of Deno.stdin.readable);
