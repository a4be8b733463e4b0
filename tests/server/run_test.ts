/**
 * How a run starts: it does nothing before the server can serve, and a failure leaves nothing open.
 *
 * @module
 */
import { getEventListeners } from "node:events";
import type { McpServer } from "@modelcontextprotocol/server";
import {
  AsyncToolServer,
  BackendError,
  DefinitionError,
  JobsError,
  MemoryBackend,
  PollingExposureStrategy,
  type RunOptions,
} from "../../mod.ts";
import { freePort } from "../../tools/redis_server.ts";
import { Connection } from "../http/support/connection.ts";
import { pass } from "../support/time.ts";
import { assert, assertEquals, assertRejects, FakeTime } from "../../tools/std.ts";
import { newTask } from "../support/tasks.ts";

/** A server with one job, whose stored tasks wait for a worker; `begun` has the ids of those that one has started. */
async function newServer(tasks = 0) {
  const backend = new MemoryBackend();
  const begun: string[] = [];
  const strategy = new PollingExposureStrategy();
  const server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, strategy });
  const job = server.asyncTool({ name: "echo", input: { type: "object" } }, (_, { id }) => void begun.push(id));
  for (let i = 0; i < tasks; i++) {
    await backend.create(newTask({ job: job.name, owner: "me" }));
  }
  return { server, backend, begun };
}

Deno.test("a run whose port is taken starts no stored task", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const { server, begun } = await newServer(6);
  await assertRejects(() => server.run({ transport: "http", port, worker: {} }), JobsError, "the port is taken");
  assertEquals(begun, []);
});

for (const transport of ["stdio", "http"] as const) {
  Deno.test(`a run over ${transport} that fails because of an extension starts no stored task`, async () => {
    const { server, begun } = await newServer(6);
    server.extend((mcp: McpServer) => mcp.registerTool("echo_start", {}, () => ({ content: [] })));
    await assertRejects(() => server.run({ transport, port: 0, worker: {} }), DefinitionError, "echo_start twice");
    assertEquals(begun, []);
  });

  Deno.test(`a run over ${transport} that is ended before it begins starts no stored task`, async () => {
    const { server, begun } = await newServer(6);
    const onListen = () => {
      throw new Error("It serves.");
    };
    await server.run({ transport, port: 0, worker: {}, onListen, signal: AbortSignal.abort() });
    assertEquals(begun, []);
  });
}

Deno.test("a run that has got its port runs the stored tasks", async () => {
  const { server, backend, begun } = await newServer(1);
  const ended = Promise.withResolvers<void>();
  backend.watch((event) => event.kind === "change" && event.task.status === "COMPLETED" && ended.resolve());
  const running = server.run({ transport: "http", port: 0, worker: {}, onListen: () => {} });
  await ended.promise;
  await server.close();
  await running;
  assertEquals(begun.length, 1);
});

const FAILING: readonly (readonly [string, (backend: MemoryBackend) => Partial<RunOptions>])[] = [
  ["a worker that cannot begin", (backend) => {
    const work = backend.work.bind(backend);
    const ready = Promise.reject(new BackendError("Cannot start a worker: no such table."));
    ready.catch(() => {});
    backend.work = (options) => ({ ...work(options), ready });
    return { worker: {} };
  }],
  ["a worker with a wrong option", () => ({ worker: { concurrency: 0 } })],
  ["a listener that throws", () => ({
    onListen: () => {
      throw new JobsError("Cannot write the URL.");
    },
  })],
];

for (const [what, prepare] of FAILING) {
  Deno.test(`${what} ends the run, and the port is free again`, async () => {
    const { server, backend } = await newServer();
    const port = freePort();
    const options = { onListen: () => {}, ...prepare(backend) };
    await assertRejects(() => server.run({ transport: "http", port, ...options }), JobsError, "Cannot");
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  });
}

Deno.test("a run that has ended leaves no listener on a signal that outlives it", async () => {
  const { signal } = new AbortController();
  const { server } = await newServer();
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const running = server.run({ transport: "http", port: 0, onListen: resolve, signal });
  await listening;
  assertEquals(getEventListeners(signal, "abort").length, 1);
  await server.close();
  await running;
  assertEquals(getEventListeners(signal, "abort").length, 0);
});

Deno.test("closing a server while its run starts ends the run", async () => {
  const { server, begun } = await newServer(6);
  const running = server.run({ transport: "http", port: 0, worker: {}, onListen: () => {} });
  await server.close();
  await running;
  assertEquals(begun, []);
});

Deno.test("a second run is refused, and the first goes on", async () => {
  const { server } = await newServer();
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const running = server.run({ transport: "http", port: 0, onListen: resolve });
  await assertRejects(() => server.run({ transport: "http", port: 0 }), DefinitionError, "it is running already");
  const health = new URL("/healthz", await listening);
  assertEquals(await (await fetch(health)).json(), { status: "ok" });
  await assertRejects(() => server.run(), DefinitionError, "it is running already");
  assertEquals(await (await fetch(health)).json(), { status: "ok" });
  await server.close();
  await running;
});

Deno.test("a client that never completes its request is disconnected when the server ends, and running tasks are handed back at once", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  const server = new AsyncToolServer({
    name: "test",
    version: "1.0.0",
    backend,
    strategy: new PollingExposureStrategy(),
  });
  const begun = Promise.withResolvers<void>();
  const handedBack = Promise.withResolvers<void>();
  server.asyncTool({ name: "waits", input: { type: "object" } }, (_, { signal }) => {
    begun.resolve();
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  backend.watch((event) => {
    if (event.kind === "change" && event.task.message?.startsWith("Handed back")) handedBack.resolve();
  });
  await backend.create(newTask({ job: "waits", owner: "me" }));
  const end = new AbortController();
  const listening = Promise.withResolvers<URL>();
  const running = server.run({
    transport: "http",
    port: 0,
    worker: {},
    signal: end.signal,
    onListen: (url) => listening.resolve(new URL(url)),
  });
  const { port } = await listening.promise;
  await begun.promise;
  using slow = await Connection.open(Number(port));
  const head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
  await slow.send(head);
  // Answered behind it on another connection, so it has arrived.
  await (await fetch(`http://127.0.0.1:${port}/healthz`)).body?.cancel();
  let ended = false;
  const over = running.then(() => ended = true);
  const begin = time.now;
  end.abort();
  await pass(time, handedBack.promise);
  assertEquals([ended, time.now - begin < 100], [false, true]);
  await pass(time, over);
  assert(time.now - begin < 10_000, "A supervisor would have killed it.");
});
