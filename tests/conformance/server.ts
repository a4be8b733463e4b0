/**
 * The fixture server of the official conformance suite, made with the public API alone:
 * `deno run -A tests/conformance/server.ts --port N [--backend kv|redis|memory] [--redis URL]`.
 *
 * @module
 */
import {
  AsyncToolServer,
  type Backend,
  BullMqBackend,
  DenoKvBackend,
  MemoryBackend,
  OperationResourceStrategy,
} from "../../mod.ts";
import { parseArgs } from "../../tools/std.ts";
import { addPlainFixtures } from "./plain_fixtures.ts";
import { addTaskFixtures } from "./task_fixtures.ts";

const { port, backend, redis } = parseArgs(Deno.args, {
  string: ["port", "backend", "redis"],
  default: { port: "8000", backend: "kv", redis: Deno.env.get("REDIS_URL") ?? "redis://127.0.0.1:6379" },
});

async function openBackend(): Promise<Backend> {
  if (backend === "memory") return new MemoryBackend();
  if (backend === "kv") return await DenoKvBackend.open({ path: `${await Deno.makeTempDir()}/jobs.kv` });
  if (backend === "redis") return await BullMqBackend.connect({ redis: String(redis), prefix: crypto.randomUUID() });
  throw new Error(`Cannot open the backend ${backend}: pass kv, redis or memory.`);
}

const server = new AsyncToolServer({
  name: "conformance",
  version: "1.0.0",
  backend: await openBackend(),
  strategy: new OperationResourceStrategy({ notifications: true }),
  // The hostile requests before the suite come faster than one principal's may.
  limits: { openTasks: Infinity, creationsPerMinute: Infinity, readsPerMinute: Infinity, requestsPerMinute: Infinity },
});
addTaskFixtures(server);
addPlainFixtures(server);
await server.run({ transport: "http", port: Number(port), worker: { concurrency: 32 } });
