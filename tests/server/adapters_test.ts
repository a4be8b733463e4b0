import { getRequestListener } from "@hono/node-server";
import { once } from "node:events";
import { createServer } from "node:http";
import { AsyncToolServer, createWorker, defineJob, MemoryBackend } from "../../mod.ts";
import { call, connectHttp } from "../interop/support/client.ts";
import { assertEquals } from "../../tools/std.ts";

const measure = defineJob({
  name: "measure",
  description: "Measures a text",
  input: { type: "object", properties: { text: { type: "string" } }, required: ["text"] },
  run: (input) => ({ length: String((input as { readonly text: string }).text).length }),
});

Deno.test("fetch reads the requests of an adapter from node:http, as behind Express, with small and with large bodies", async () => {
  const backend = new MemoryBackend();
  const mcp = new AsyncToolServer({ name: "adapted", version: "1.0.0", backend });
  mcp.registerAsyncTool(measure);
  const worker = createWorker(backend, [measure]);
  // A request of this adapter is no instance of `Request`, and lacks those of its methods that are younger.
  const listener = getRequestListener((request) => mcp.fetch(request), { overrideGlobalObjects: false });
  const http = createServer((request, response) => void listener(request, response)).listen(0, "127.0.0.1");
  await once(http, "listening");
  const address = http.address();
  const port = typeof address === "object" ? address?.port : undefined;
  try {
    await using connection = await connectHttp(new URL(`http://127.0.0.1:${port}/mcp`));
    for (const length of [5, 20_000]) {
      const { structuredContent } = await call(connection.client, "measure", { text: "x".repeat(length) });
      assertEquals(structuredContent, { length });
    }
  } finally {
    await worker.close(0);
    await mcp.close();
    http.close();
    http.closeAllConnections();
    await once(http, "close");
  }
});
