/**
 * A server without a worker, to be killed: `keyed_server.ts <KV file, Redis or PostgreSQL URL> [http]`. It serves over stdio, or
 * over HTTP on a free port, whose URL it prints.
 *
 * @module
 */
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  type Backend,
  BullMqBackend,
  defineJob,
  DenoKvBackend,
  type Job,
  PostgresBackend,
} from "../../mod.ts";

const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };

/** A job whose calls wait for as long as it takes. */
export const patient: Job = defineJob({ name: "patient", input: schema });

/** A job that is to run once for each input, and whose calls return a handle at once. */
const once: Job = defineJob({ name: "once", input: schema, unique: { for: 60_000 } });

/** Opens the store in which the tests' tasks are. `lease`: after how long a silent worker counts as dead, in ms. */
export async function open(store: string, lease: number = 60_000): Promise<Backend> {
  if (store.startsWith("redis:")) return await BullMqBackend.connect({ redis: store, lease });
  if (store.startsWith("postgres")) return await PostgresBackend.connect({ url: store, lease });
  return await DenoKvBackend.open({ path: store, lease });
}

if (import.meta.main) {
  const [store = "", transport] = Deno.args;
  const backend = await open(store);
  const server = new AsyncToolServer({ name: "keyed", version: "1.0.0", backend });
  server.registerAsyncTool(patient, { strategy: new AdaptiveExposureStrategy({ answerWithin: 120_000 }) });
  server.registerAsyncTool(once, { strategy: new AdaptiveExposureStrategy({ answerWithin: 0, toolPrefix: "once_" }) });
  await server.run(transport === "http" ? { transport, port: 0, onListen: console.log } : {});
}
