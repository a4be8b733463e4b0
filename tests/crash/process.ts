/**
 * A server or a worker of the crash tests: as a process, to be killed, `process.ts <server|embedded|worker> <KV file or Redis
 * URL> <lease>`, or in the test's own process.
 *
 * @module
 */
import {
  AsyncToolServer,
  type Backend,
  BullMqBackend,
  createWorker,
  defineJob,
  DenoKvBackend,
  type Job,
  OperationResourceStrategy,
  type Worker,
} from "../../mod.ts";
import { pause } from "../../src/waiting.ts";

/** Opens the store in which the tests' tasks are. */
export async function open(store: string, lease: number): Promise<Backend> {
  return store.startsWith("redis:")
    ? await BullMqBackend.connect({ redis: store, lease })
    : await DenoKvBackend.open({ path: store, lease });
}

/** Says in its progress that it runs, and ends once the file that its input names is there. */
const gated: Job = defineJob({
  name: "gated",
  input: { type: "object", properties: { gate: { type: "string" } }, required: ["gate"] },
  run: async ({ gate }, { progress, attempt, signal }) => {
    await progress(0.5, `attempt ${attempt}`);
    while (!await Deno.stat(String(gate)).then(() => true, () => false)) {
      await pause(20);
      signal.throwIfAborted();
    }
    return { attempt };
  },
});

/** Makes the server of a job that others run, or a worker of its own. */
export function serverOn(backend: Backend): AsyncToolServer {
  const strategy = new OperationResourceStrategy({ notifications: true });
  const server = new AsyncToolServer({ name: "crash", version: "1.0.0", backend, strategy });
  server.registerAsyncTool(gated);
  return server;
}

/** Starts a worker. */
export function workerOn(backend: Backend): Worker {
  return createWorker(backend, [gated], { concurrency: 4, grace: 0 });
}

if (import.meta.main) {
  const [role = "", store = "", lease = ""] = Deno.args;
  const backend = await open(store, Number(lease));
  if (role === "worker") {
    await using worker = workerOn(backend);
    await worker.ready;
    console.log("ready");
    for await (const _ of Deno.stdin.readable);
    await worker.close();
    await backend.close();
  } else {
    await serverOn(backend).run(role === "embedded" ? { worker: { concurrency: 4 } } : {});
  }
}
