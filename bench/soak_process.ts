/**
 * A server or a worker of the soak run: `soak_process.ts server|worker <backend> <folder>`. Says "ready", or its URL, and
 * answers each line of its stdin with the memory that it holds after a collection.
 */
import { AsyncToolServer, createWorker, OperationResourceStrategy } from "../mod.ts";
import { NO_LIMITS, openBackend } from "../tools/place.ts";
import { tick } from "./jobs.ts";
import { answerWithMemory } from "./memory.ts";

const [role = "", name = "", folder = ""] = Deno.args;
const backend = await openBackend(name, folder);
const end = new AbortController();

const asked = answerWithMemory().finally(() => end.abort());
if (role === "worker") {
  const worker = createWorker(backend, [tick], { concurrency: 100, grace: 0 });
  await worker.ready;
  console.log("ready");
  await asked;
  await worker.close();
  await backend.close();
} else {
  const server = new AsyncToolServer({
    name: "soak",
    version: "1.0.0",
    backend,
    strategy: new OperationResourceStrategy({ notifications: true }),
    limits: NO_LIMITS,
    audit: () => {},
  });
  server.registerAsyncTool(tick, { resultTtl: 60_000 });
  await server.run({ transport: "http", port: 0, onListen: (url) => console.log(url), signal: end.signal });
}
