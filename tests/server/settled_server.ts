/**
 * Servers that get requests through `fetch` and over HTTP, each in the order of one argument, as "run fetch". Their audit logs
 * go to stderr, each with a line "end" behind it.
 *
 * @module
 */
import { AsyncToolServer, MemoryBackend, PollingExposureStrategy } from "../../mod.ts";

/** Sends a request that is refused; the audit log has its Origin. */
async function ask(send: (request: Request) => Promise<Response>, url: string, name: string): Promise<void> {
  const response = await send(new Request(url, { method: "POST", headers: { origin: `http://${name}` } }));
  await response.body?.cancel();
}

for (const order of Deno.args) {
  const [backend, strategy] = [new MemoryBackend(), new PollingExposureStrategy()];
  const server = new AsyncToolServer({ name: "settled", version: "1.0.0", backend, strategy });
  const { promise: served, resolve } = Promise.withResolvers<string>();
  let running: Promise<void> | undefined;
  const steps: Record<string, () => Promise<void>> = {
    fetch: () => ask(server.fetch, "http://localhost/mcp", "through.fetch"),
    run: async () => {
      running = server.run({ transport: "http", port: 0, onListen: resolve });
      await ask(fetch, await served, "over.http");
    },
  };
  for (const step of order.split(" ")) await steps[step]?.();
  await server.close();
  await running;
  // deno-lint-ignore no-console
  console.error("end");
}
