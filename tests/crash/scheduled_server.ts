/** A server of the crash tests with a schedule: says "ready", and serves until its stdin ends or it is killed. */
import { AsyncToolServer, defineJob, DenoKvBackend } from "../../mod.ts";

const [path = "", every = ""] = Deno.args;
const tick = defineJob({ name: "tick", input: { type: "object" }, run: () => null });
const backend = await DenoKvBackend.open({ path });
const server = new AsyncToolServer({ name: "scheduled", version: "1.0.0", backend, audit: () => {} });
await server.schedule(tick, { every: Number(every), owner: "ann" });
const end = new AbortController();
const running = server.run({ transport: "http", port: 0, signal: end.signal, onListen: () => console.log("ready") });
for await (const _ of Deno.stdin.readable);
end.abort();
await running;
