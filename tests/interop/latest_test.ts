import { AsyncToolServer, createWorker, defineJob, MemoryBackend } from "../../mod.ts";
import { assert, assertEquals, assertRejects } from "../../tools/std.ts";
import { serve } from "../support/served.ts";
import { connectHttp } from "./support/client.ts";
import { connectModernHttp } from "./support/client_2026.ts";

const count = defineJob({ name: "count", input: { type: "object" }, run: (_, { owner }) => ({ of: owner }) });

Deno.test("clients of both revisions list and read the latest result of a scheduled job, each owner their own", async () => {
  const backend = new MemoryBackend();
  const completed = Promise.withResolvers<void>();
  backend.watch((event) => event.kind === "change" && event.task.status === "COMPLETED" && completed.resolve());
  const authenticate = (request: Request) =>
    Promise.resolve({ principal: new URL(request.url).searchParams.get("user") ?? "" });
  const server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, authenticate, audit: () => {} });
  server.registerAsyncTool(count);
  await server.schedule(count, { every: 100, owner: "ann" });
  await using served = await serve(server);
  await completed.promise;
  for (const user of ["ann", "bob"]) {
    const own = new URL(`/mcp?user=${user}`, served.url);
    const connections = [await connectHttp(own), await connectModernHttp(own, { pin: "2026-07-28" })];
    for (const { client } of connections) {
      // Both have these methods, with types of their own.
      const { resourceTemplates } = await client.listResourceTemplates();
      assert(resourceTemplates.some(({ uriTemplate }) => uriTemplate === "mcp://results/count/latest{?page}"));
      const reading = client.readResource({ uri: "mcp://results/count/latest" });
      if (user === "bob") await assertRejects(() => reading, Error, "No task of count has completed.");
      else assertEquals((await reading).contents.map((content) => "text" in content && content.text), ['{"of":"ann"}']);
    }
    for (const connection of connections) await connection[Symbol.asyncDispose]();
  }
});

Deno.test("without authentication nobody sees or reads the latest result: the id of a task is the only key to it", async () => {
  const backend = new MemoryBackend();
  const server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, audit: () => {} });
  server.registerAsyncTool(count);
  await using _worker = createWorker(backend, [count]);
  await using served = await serve(server);
  const connections = [await connectHttp(served.url), await connectModernHttp(served.url, { pin: "2026-07-28" })];
  for (const { client } of connections) {
    const { structuredContent } = await client.callTool({ name: "count", arguments: {} });
    assertEquals(structuredContent, { of: "anonymous" });
    const { resourceTemplates } = await client.listResourceTemplates();
    const templates = resourceTemplates.map(({ uriTemplate }) => uriTemplate);
    assertEquals(templates, ["mcp://results/count/{task_id}", "mcp://results/count/{task_id}/log"]);
    await assertRejects(() => client.readResource({ uri: "mcp://results/count/latest" }), Error);
  }
  for (const connection of connections) await connection[Symbol.asyncDispose]();
});
