/**
 * The fixture server of the official conformance suite, made with the public API alone:
 * `deno run -A tests/conformance/server.ts --port N [--backend kv|redis|memory]`.
 *
 * @module
 */
import { AsyncToolServer, type Backend, DenoKvBackend, MemoryBackend, OperationResourceStrategy } from "../../mod.ts";
import { parseArgs } from "../../tools/std.ts";
import { addTaskFixtures } from "./task_fixtures.ts";

const { port, backend } = parseArgs(Deno.args, {
  string: ["port", "backend"],
  default: { port: "8000", backend: "kv" },
});

async function openBackend(): Promise<Backend> {
  if (backend === "memory") return new MemoryBackend();
  if (backend === "kv") return await DenoKvBackend.open({ path: `${await Deno.makeTempDir()}/jobs.kv` });
  throw new Error(`Cannot open the backend ${backend}: pass kv or memory.`);
}

const server = new AsyncToolServer({
  name: "conformance",
  version: "1.0.0",
  backend: await openBackend(),
  strategy: new OperationResourceStrategy({ notifications: true }),
});
addTaskFixtures(server);
await server.run({ transport: "http", port: Number(port), worker: { concurrency: 32 } });
