/**
 * A stdio server with a worker of its own, as an app has it: `looked_at_server.ts <KV file> <log> [cancelOnDisconnect]`. Its
 * job writes a line into the log each time its code begins and when its signal aborts, and never ends.
 *
 * @module
 */
import { AsyncToolServer, DenoKvBackend, OperationResourceStrategy } from "../../mod.ts";

const [path = "", log = "", disconnect] = Deno.args;
const server = new AsyncToolServer({
  name: "mail",
  version: "1.0.0",
  backend: await DenoKvBackend.open({ path }),
  strategy: new OperationResourceStrategy(),
});
const cancelOnDisconnect = disconnect === undefined ? undefined : disconnect === "true";
const job = { name: "send_mail", input: { type: "object" }, cancelOnDisconnect } as const;
server.asyncTool(job, async (_, { id, signal }) => {
  const note = (what: string) => Deno.writeTextFile(log, `${what} ${id}\n`, { append: true });
  await note("begun");
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await note("aborted");
  signal.throwIfAborted();
});
await server.run({ worker: {} });
