/**
 * A server of the crash tests with a schedule: says "ready", and serves until its stdin ends or it is killed. Before it deletes
 * a key, it stores what the key names under another one, for the test.
 */
import { AsyncToolServer, type Backend, defineJob, DenoKvBackend } from "../../mod.ts";

const [path = "", every = ""] = Deno.args;
const tick = defineJob({ name: "tick", input: { type: "object" }, run: () => null });
const backend = await DenoKvBackend.open({ path });
const { keys } = backend;
const writeKey: Backend["keys"]["writeKey"] = async (owner, key, from, to) => {
  if (to === undefined) await keys.writeKey(owner, `deleted:${key}`, undefined, from);
  return await keys.writeKey(owner, key, from, to);
};
const noting = new Proxy(backend, {
  get(target, name) {
    if (name === "keys") return { readKey: keys.readKey.bind(keys), writeKey };
    const value = Reflect.get(target, name);
    return typeof value === "function" ? value.bind(target) : value;
  },
});
const server = new AsyncToolServer({ name: "scheduled", version: "1.0.0", backend: noting, audit: () => {} });
await server.schedule(tick, { every: Number(every), owner: "ann" });
const end = new AbortController();
const running = server.run({ transport: "http", port: 0, signal: end.signal, onListen: () => console.log("ready") });
for await (const _ of Deno.stdin.readable);
end.abort();
await running;
