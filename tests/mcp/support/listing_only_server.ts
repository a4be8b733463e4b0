/**
 * A stdio server with a worker of its own, as an app has it: `listing_only_server.ts <store> <log> [cancelOnDisconnect]`. The
 * store is a KV file, or the URL of a Redis. Its job never ends. The log has a line when the worker is ready, when the
 * job's code starts, and why its signal aborts.
 *
 * @module
 */
import {
  AsyncToolServer,
  type Backend,
  BullMqBackend,
  DenoKvBackend,
  OperationResourceStrategy,
} from "../../../mod.ts";
import { STAY_MS } from "../../../src/mcp/stdio/first_call.ts";

// A client that only lists the tools does not stay, however long that takes on a slow machine.
const { setTimeout } = globalThis;
Object.assign(globalThis, {
  setTimeout: (run: () => void, ms: number) => setTimeout(run, ms === STAY_MS ? 2 ** 31 - 1 : ms),
});

/** Opens the store. */
export async function open(store: string): Promise<Backend> {
  return store.startsWith("redis:")
    ? await BullMqBackend.connect({ redis: store })
    : await DenoKvBackend.open({ path: store });
}

/** Makes the server. */
export function serverOn(backend: Backend, log: string, cancelOnDisconnect?: boolean): AsyncToolServer {
  const note = (what: string) => Deno.writeTextFileSync(log, `${what}\n`, { append: true });
  const work = backend.work.bind(backend);
  backend.work = (options) => {
    note("ready");
    return work(options);
  };
  const server = new AsyncToolServer({
    name: "mail",
    version: "1.0.0",
    backend,
    strategy: new OperationResourceStrategy(),
    audit: ({ event, reason }) => note(reason === undefined ? event : `${event}: ${reason}`),
  });
  const job = { name: "send_mail", input: { type: "object" }, cancelOnDisconnect } as const;
  server.asyncTool(job, async (_, { signal }) => {
    note("begun");
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    note(`aborted: ${signal.reason.message}`);
    signal.throwIfAborted();
  });
  return server;
}

if (import.meta.main) {
  const [store = "", log = "", disconnect] = Deno.args;
  const cancelOnDisconnect = disconnect === undefined ? undefined : disconnect === "true";
  await serverOn(await open(store), log, cancelOnDisconnect).run({ worker: {} });
}
