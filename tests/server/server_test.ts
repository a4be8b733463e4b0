import { z } from "zod";
import {
  AsyncToolServer,
  defineJob,
  DefinitionError,
  isFinished,
  type Job,
  JobsError,
  MemoryBackend,
  PollingExposureStrategy,
  type RegisterOptions,
} from "../../mod.ts";
import type { JobDefinition, Schema, SurfaceTool } from "../../strategy.ts";
import { Raw } from "../mcp/http/support/raw.ts";
import { Reported } from "../support/errors.ts";
import { gracesOf } from "../support/graces.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../tools/std.ts";
import { newTask } from "../support/tasks.ts";

const echo = defineJob({ name: "echo", input: { type: "object" }, run: (input) => input });

function newServer(backend: MemoryBackend): AsyncToolServer {
  return new AsyncToolServer({ name: "test", version: "1.0.0", backend, strategy: new PollingExposureStrategy() });
}

/** Fails a test whose server should not have started to serve. */
function listening(): never {
  throw new Error("It serves.");
}

Deno.test("the server's own worker runs a job that is registered under two names", async () => {
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

Deno.test("defaultCancel applies if a registration does not say, and is true by default", async () => {
  const named = (name: string) => defineJob({ name, input: { type: "object" }, run: (input) => input });
  for (const defaultCancel of [undefined, true, false]) {
    const backend = new MemoryBackend();
    const strategy = new PollingExposureStrategy();
    await using server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, strategy, defaultCancel });
    server.registerAsyncTool(echo);
    server.registerAsyncTool(named("always"), { cancel: true });
    server.registerAsyncTool(named("never"), { cancel: false });
    server.asyncTool({ name: "defined", input: { type: "object" } }, () => 1);
    const cancellable = server.registry.list().filter(({ cancel }) => cancel).map(({ name }) => name);
    assertEquals(cancellable, defaultCancel === false ? ["always"] : ["echo", "always", "defined"]);
  }
});

Deno.test("inlineBytes of the server applies if a registration does not say, and is 100,000 by default", async () => {
  for (const inlineBytes of [undefined, 20_000]) {
    const backend = new MemoryBackend();
    await using server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, inlineBytes });
    server.registerAsyncTool(echo);
    server.asyncTool({ name: "defined", input: { type: "object" }, inlineBytes: 9_000 }, () => 1);
    assertEquals(server.registry.list().map((registered) => registered.inlineBytes), [inlineBytes ?? 100_000, 9_000]);
  }
});

Deno.test("asyncTool takes every option of a registration", async () => {
  // Required, so that an option that is added later is missing here.
  const offer: Required<Omit<RegisterOptions, keyof JobDefinition<Schema, unknown> | "queue" | "jobName">> = {
    cancel: false,
    cancelOnDisconnect: true,
    answerWithin: 1_000,
    inlineBytes: 9_000,
    resultTtl: 2_000,
    taskSupport: "required",
    askFor: { text: "What to say?" },
    perCall: ["priority"],
    answers: "model",
    strategy: new PollingExposureStrategy(),
  };
  const input = { type: "object", properties: { text: { type: "string" } } };
  await using server = newServer(new MemoryBackend());
  server.asyncTool({ name: "defined", input, ...offer }, () => 1);
  const registered = server.registry.get("defined");
  const { strategy: _, askFor: __, ...others } = offer;
  for (const [option, value] of Object.entries(others)) assertEquals(Reflect.get(registered ?? {}, option), value);
  assertEquals(registered?.askFor.map(({ key, message }) => [key, message]), [["text", "What to say?"]]);
});

Deno.test("a server that ends hands back the running tasks of its worker, at once or after its grace", async () => {
  for (const [grace, waited] of [[undefined, 0], [5_000, 5_000]] as const) {
    const backend = new MemoryBackend();
    const graces = gracesOf(backend);
    const server = newServer(backend).registerAsyncTool(echo);
    const end = new AbortController();
    await server.run({
      transport: "http",
      port: 0,
      worker: { grace },
      onListen: () => end.abort(),
      signal: end.signal,
    });
    assertEquals(graces, [waited]);
  }
});

Deno.test("errors of a run's worker go to its own onError, or else to that of the server", async () => {
  for (const hasOwn of [false, true]) {
    const [ofServer, ofWorker] = [new Reported(), new Reported()];
    const backend = new MemoryBackend();
    await using server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, onError: ofServer.onError });
    const job = server.asyncTool({ name: "fail", input: { type: "object" } }, () => {
      throw new Error("broken");
    });
    await backend.create(newTask({ job: job.name }));
    const end = new AbortController();
    const worker = hasOwn ? { onError: ofWorker.onError } : {};
    const running = server.run({ transport: "http", port: 0, worker, onListen: () => {}, signal: end.signal });
    await Promise.race([ofServer.first, ofWorker.first]);
    end.abort();
    await running;
    const counts = [ofServer, ofWorker].map(({ all }) => all.length);
    assertEquals(counts, hasOwn ? [0, 1] : [1, 0]);
  }
});

Deno.test("a run that is aborted before it begins ends at once, and closes the backend", async () => {
  const backend = new MemoryBackend();
  const server = newServer(backend).registerAsyncTool(echo);
  await server.run({ transport: "http", port: 0, onListen: () => {}, signal: AbortSignal.abort() });
  assertThrows(() => backend.work({ jobs: ["echo"], concurrency: 1, run: () => Promise.reject() }), Error, "closed");
});

Deno.test("two tools of one name, and what is registered too late, are refused by name", async () => {
  await using server = newServer(new MemoryBackend());
  server.registerAsyncTool(echo, { name: "echo" });
  assertThrows(() => server.registerAsyncTool(echo), DefinitionError, "Cannot register echo twice");
  server.registerAsyncTool(defineJob({ name: "echo_start_status", input: echo.inputSchema }));
  await server.fetch(new Request("http://localhost/mcp", { headers: { host: "localhost" } }));
  assertThrows(() => server.registerAsyncTool(echo, { name: "late" }), DefinitionError, "Cannot register late");
  assertThrows(() => server.extend(() => {}), DefinitionError, "Cannot register an extension");
  const scheduling = () => server.schedule(echo, { every: 60_000, input: { text: "hi" }, owner: "ann" });
  await assertRejects(scheduling, DefinitionError, "Cannot register a schedule");
});

Deno.test("registering a job for a queue of others fails if the backend has none", async () => {
  await using server = newServer(new MemoryBackend());
  const contract = defineJob({ name: "resize", input: { type: "object" } });
  assertThrows(() => server.registerAsyncTool(contract, { queue: "images" }), DefinitionError, "BullMqBackend");
  assertEquals(server.registry.list(), []);
});

Deno.test("two tools of one name, from a custom strategy, end the run before anything is served", async () => {
  const tool: SurfaceTool = {
    name: "same",
    description: "Always the same",
    inputSchema: { type: "object" },
    call: () => Promise.resolve({ kind: "result", result: { content: [] } }),
  };
  const server = new AsyncToolServer({
    name: "test",
    version: "1.0.0",
    backend: new MemoryBackend(),
    strategy: { expose: () => ({ tools: [tool], templates: [] }) },
  });
  server.registerAsyncTool(echo).registerAsyncTool(echo, { name: "again" });
  await assertRejects(() => server.run({ transport: "http", port: 0, onListen: listening }), DefinitionError, "same");
});

Deno.test("an invalid JSON Schema ends the run before anything is served", async () => {
  const wrong = { type: "object", properties: { n: { type: "nonsense" } } };
  const jobs = [
    defineJob({ name: "odd", input: wrong, run: () => 1 }),
    defineJob({ name: "odd", input: { type: "object" }, output: wrong, run: () => 1 }),
  ];
  for (const job of jobs) {
    const server = newServer(new MemoryBackend()).registerAsyncTool(job);
    await assertRejects(
      () => server.run({ transport: "http", port: 0, onListen: listening }),
      DefinitionError,
      "Cannot use the schema",
    );
  }
});

Deno.test("the error for a taken port names it, and the backend is closed", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const backend = new MemoryBackend();
  const server = newServer(backend).registerAsyncTool(echo);
  const error = await assertRejects(() => server.run({ transport: "http", port }), JobsError, `127.0.0.1:${port}`);
  assert(error.cause instanceof Deno.errors.AddrInUse);
  assertThrows(() => backend.work({ jobs: ["echo"], concurrency: 1, run: () => Promise.reject() }), Error, "closed");
});

Deno.test("a server that is closed twice closes its backend once, and both calls wait for that", async () => {
  const backend = new MemoryBackend();
  const close = backend.close.bind(backend);
  let [begun, closed] = [0, 0];
  backend.close = async () => {
    begun++;
    await close();
    closed++;
  };
  const server = newServer(backend).registerAsyncTool(echo);
  for (const closing of [server.close(), server.close()]) {
    await closing;
    assertEquals([begun, closed], [1, 1]);
  }
});

Deno.test("a closed server refuses to serve, and says why", async () => {
  const server = newServer(new MemoryBackend()).registerAsyncTool(echo);
  await server.close();
  await assertRejects(() => server.run({ transport: "http", port: 0 }), DefinitionError, "it was closed");
  const request = new Request("http://localhost/mcp", { headers: { host: "localhost" } });
  assertEquals((await server.fetch(request)).status, 503);
});

Deno.test("a run can be ended while its worker waits for a store that is away", async () => {
  const backend = new MemoryBackend();
  const work = backend.work.bind(backend);
  const asked = Promise.withResolvers<void>();
  backend.work = (options) => {
    asked.resolve();
    return { ready: new Promise(() => {}), stop: work(options).stop };
  };
  const server = newServer(backend).registerAsyncTool(echo);
  const end = new AbortController();
  const running = server.run({ transport: "http", port: 0, worker: {}, onListen: () => {}, signal: end.signal });
  await asked.promise;
  end.abort();
  await running;
});

Deno.test("closing a server ends its run, and its worker gets its grace", async () => {
  const backend = new MemoryBackend();
  const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const server = newServer(backend);
  const job = server.asyncTool({ name: "slow", input: { type: "object" } }, async () => {
    begun.resolve();
    await gate.promise;
    return { done: true };
  });
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const running = server.run({ transport: "http", port: 0, worker: { grace: 60_000 }, onListen: resolve });
  const url = await listening;
  await backend.create(newTask({ job: job.name, owner: "me" }));
  await begun.promise;
  const ended = Promise.withResolvers<string>();
  backend.watch((event) => event.kind === "change" && isFinished(event.task) && ended.resolve(event.task.status));
  const closing = server.close();
  gate.resolve();
  assertEquals(await ended.promise, "COMPLETED");
  await closing;
  await running;
  await assertRejects(() => fetch(url), TypeError);
});

Deno.test("a health check that fails answers 503, and the error goes to the server's onError", async () => {
  const backend = new MemoryBackend();
  backend.check = () => Promise.reject(new JobsError("The disk is full."));
  const { all, onError } = new Reported();
  await using server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, onError });
  const response = await server.fetch(new Request("http://localhost/healthz", { headers: { host: "localhost" } }));
  await response.body?.cancel();
  assertEquals([response.status, all.map(({ where }) => where)], [503, ["check the backend for /healthz"]]);
});

Deno.test("a server without a strategy adapts to its clients, and a job may have a strategy of its own", async () => {
  await using server = new AsyncToolServer({ name: "test", version: "1.0.0", backend: new MemoryBackend() });
  const adapts = server.asyncTool({ name: "adapts", input: z.object({}) }, () => 1);
  server.asyncTool({ name: "polled", input: z.object({}), strategy: new PollingExposureStrategy() }, () => 2);
  server.registerAsyncTool(adapts as Job, { name: "again", strategy: new PollingExposureStrategy() });
  const raw = await Raw.open(server.fetch);
  const { tools } = (await raw.ask("tools/list")).result;
  assertEquals(tools.map(({ name }: { name: string }) => name), [
    "adapts",
    "polled_start",
    "polled_status",
    "polled_result",
    "polled_cancel",
    "again_start",
    "again_status",
    "again_result",
    "again_cancel",
    "task_status",
    "task_cancel",
  ]);
});
