/**
 * A server that gets requests through `fetch` and over HTTP, in the order of its argument. Its audit log goes to stderr.
 *
 * @module
 */
import { AsyncToolServer, MemoryBackend, PollingExposureStrategy } from "../../mod.ts";

const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
const server = new AsyncToolServer({ name: "settled", version: "1.0.0", backend, strategy });
const { promise: served, resolve } = Promise.withResolvers<string>();
let running: Promise<void> | undefined;

/** Sends a request that is refused; the audit log has its Origin. */
async function ask(send: (request: Request) => Promise<Response>, url: string, name: string): Promise<void> {
  const response = await send(new Request(url, { method: "POST", headers: { origin: `http://${name}` } }));
  await response.body?.cancel();
}

const steps: Record<string, () => Promise<void>> = {
  fetch: () => ask(server.fetch, "http://localhost/mcp", "through.fetch"),
  run: async () => {
    running = server.run({ transport: "http", port: 0, onListen: resolve });
    await ask(fetch, await served, "over.http");
  },
};
for (const step of Deno.args) await steps[step]?.();
await server.close();
await running;
