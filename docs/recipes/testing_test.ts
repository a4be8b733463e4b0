// #region imports
import { AsyncToolServer, createClient, createWorker, MemoryBackend } from "@mcp-jobs/mcp-jobs";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { deepStrictEqual } from "node:assert";
import { refund } from "./approval.ts";
// #endregion

// #region job
Deno.test("a small refund needs no approval", async () => {
  await using backend = new MemoryBackend();
  await using _worker = createWorker(backend, [refund]);
  using client = createClient(backend, { owner: "test" });

  const task = await client.start(refund, { order: "A-1", amount: 20 });
  deepStrictEqual(await client.wait(task), { refunded: true });
});
// #endregion

// #region question
Deno.test("a large refund waits for a person", async () => {
  await using backend = new MemoryBackend();
  await using _worker = createWorker(backend, [refund]);
  using client = createClient(backend, { owner: "test" });

  const asked = Promise.withResolvers<string>();
  backend.watch((event) => {
    if (event.kind === "change" && event.task.status === "INPUT_REQUIRED") {
      asked.resolve(event.task.questions?.[0]?.key ?? "");
    }
  });
  const task = await client.start(refund, { order: "A-2", amount: 5_000 });
  await backend.answer(task.id, "test", { [await asked.promise]: { action: "accept", content: { approved: false } } });
  deepStrictEqual(await client.wait(task), { refunded: false });
});
// #endregion

// #region tool
Deno.test("a model can call it as a tool", async () => {
  await using backend = new MemoryBackend();
  const server = new AsyncToolServer({ name: "shop", version: "1.0.0", backend });
  server.registerAsyncTool(refund);
  await using _worker = createWorker(backend, [refund]);

  // No port: the client's requests go straight to the server.
  const transport = new StreamableHTTPClientTransport(new URL("http://127.0.0.1/mcp"), {
    fetch: (url, init) => server.fetch(new Request(url, init)),
  });
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(transport);
  const result = await client.callTool({ name: "refund", arguments: { order: "A-3", amount: 20 } });
  deepStrictEqual(result.structuredContent, { refunded: true });
  await client.close();
  await server.close();
});
// #endregion
