/**
 * The fixture server of the official conformance suite, made with the public API alone:
 * `deno run -A tests/conformance/server.ts --port N [--backend kv|redis|postgres|memory] [--url URL]`.
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
  PostgresBackend,
} from "../../mod.ts";
import { readOptions } from "../../tools/options.ts";
import { addPlainFixtures } from "./plain_fixtures.ts";
import { addTaskFixtures } from "./task_fixtures.ts";

const { port, backend, url } = readOptions({ port: 8_000, backend: ["kv", "redis", "postgres", "memory"], url: "" });

async function openBackend(): Promise<Backend> {
  if (backend === "memory") return new MemoryBackend();
  if (backend === "kv") return await DenoKvBackend.open({ path: `${await Deno.makeTempDir()}/jobs.kv` });
  if (backend === "redis") return await BullMqBackend.connect({ redis: url, prefix: crypto.randomUUID() });
  return await openPostgres(url);
}

async function openPostgres(url: string): Promise<Backend> {
  const schema = `mcp_jobs_conformance_${crypto.randomUUID()}`; // Others may use the database, too.
  await PostgresBackend.migrate({ url, schema });
  return await PostgresBackend.connect({ url, schema });
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
await server.run({ transport: "http", port, worker: { concurrency: 32 } });
