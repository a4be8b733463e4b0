/**
 * A server or a worker of the crash tests, to be killed: `process.ts <server|embedded|worker> <KV file or Redis URL> <lease>`.
 * The job says in its progress that it runs, and ends once a file named after its input is there.
 *
 * @module
 */
import {
  AsyncToolServer,
  BullMqBackend,
  createWorker,
  defineJob,
  DenoKvBackend,
  OperationResourceStrategy,
} from "../../mod.ts";

const [role = "", store = "", lease = ""] = Deno.args;
const backend = store.startsWith("redis:")
  ? await BullMqBackend.connect({ redis: store, lease: Number(lease) })
  : await DenoKvBackend.open({ path: store, lease: Number(lease) });

const gated = defineJob({
  name: "gated",
  input: { type: "object", properties: { gate: { type: "string" } }, required: ["gate"] },
  run: async ({ gate }, { progress, attempt, signal }) => {
    await progress(0.5, `attempt ${attempt}`);
    while (!await Deno.stat(String(gate)).then(() => true, () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      signal.throwIfAborted();
    }
    return { attempt };
  },
});

if (role === "worker") {
  await using worker = createWorker(backend, [gated], { concurrency: 4, grace: 0 });
  await worker.ready;
  console.log("ready");
  for await (const _ of Deno.stdin.readable);
  await worker.close();
  await backend.close();
} else {
  const server = new AsyncToolServer({
    name: "crash",
    version: "1.0.0",
    backend,
    strategy: new OperationResourceStrategy({ notifications: true }),
  });
  server.registerAsyncTool(gated);
  await server.run(role === "embedded" ? { worker: { concurrency: 4 } } : {});
}
