import { AsyncToolServer, defineJob, DefinitionError, MemoryBackend, PollingExposureStrategy } from "../mod.ts";
import { assertEquals, assertThrows } from "../tools/std.ts";

const echo = defineJob({ name: "echo", input: { type: "object" }, run: (input) => input });

function newServer(backend: MemoryBackend): AsyncToolServer {
  return new AsyncToolServer({ name: "test", version: "1.0.0", backend, strategy: new PollingExposureStrategy() });
}

Deno.test("a job that is offered under two names is run by the server's own worker", async () => {
  const backend = new MemoryBackend();
  const server = newServer(backend).registerAsyncTool(echo).registerAsyncTool(echo, { name: "say_again" });
  const end = new AbortController();
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const running = server.run({ transport: "http", port: 0, worker: {}, onListen: resolve, signal: end.signal });
  await listening;
  assertEquals(await backend.hasWorker("echo"), true);
  end.abort();
  await running;
});

Deno.test("a run that is aborted before it begins ends at once, and closes the backend", async () => {
  const backend = new MemoryBackend();
  const server = newServer(backend).registerAsyncTool(echo);
  await server.run({ transport: "http", port: 0, onListen: () => {}, signal: AbortSignal.abort() });
  assertThrows(() => backend.work({ jobs: ["echo"], concurrency: 1, run: () => Promise.reject() }), Error, "closed");
});

Deno.test("tools whose names would be the same, and tools that come too late, are refused by name", async () => {
  await using server = newServer(new MemoryBackend());
  server.registerAsyncTool(echo, { name: "echo" });
  assertThrows(() => server.registerAsyncTool(echo), DefinitionError, "Cannot register echo twice");
  server.registerAsyncTool(defineJob({ ...echo, name: "echo_start_status", input: echo.inputSchema }));
  await server.fetch(new Request("http://localhost/mcp", { headers: { host: "localhost" } }));
  assertThrows(() => server.registerAsyncTool(echo, { name: "late" }), DefinitionError, "Cannot register late");
});
