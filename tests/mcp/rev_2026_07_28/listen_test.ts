/**
 * `subscriptions/listen` with tasks and results, over HTTP. The same over stdio is in transcripts/extension.txt.
 *
 * @module
 */
import { SUBSCRIPTION_ID_META_KEY } from "@modelcontextprotocol/server";
import { assert, assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  BackendError,
  createWorker,
  MemoryBackend,
  OperationResourceStrategy,
} from "../../../mod.ts";
import { ToolRegistry } from "../../../strategy.ts";
import { newTaskId } from "../../../src/ids.ts";
import { TaskListener } from "../../../src/mcp/rev_2026_07_28/listener.ts";
import { TaskSubscription } from "../../../src/mcp/rev_2026_07_28/subscription.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import { serveHttp } from "../../interop/support/client.ts";
import { contract, fixtureServer } from "../../interop/support/fixture.ts";
import { serve } from "../../support/served.ts";
import { ask, callTool, envelope, Events, listen, request, send, TASKS } from "../support/modern.ts";
import { Pipe } from "../support/pipe.ts";
import { runInPlace } from "../support/program.ts";
import type { Fields, Message } from "../support/wire_message.ts";

const statusOf = ({ params }: Message) => params?.status;
const isEnd = (message: Message) => message.method === "notifications/tasks" && statusOf(message) === "completed";

Deno.test("a subscriber gets the end of a task once: when it comes, or at once if it has come before", async () => {
  await using http = await serveHttp("operation");
  const { taskId } = await callTool(http.url, "hold", { gate: "listen" });
  await using early = await listen(http.url, { taskIds: [taskId] });
  assertEquals((await early.next()).params?.notifications, { taskIds: [taskId] });
  assertEquals(statusOf(await early.next()), "working");
  await callTool(http.url, "open_gate", { gate: "listen" });
  const end = await early.next(isEnd);
  assertEquals(end.params?.result.structuredContent, { said: "opened" });
  await using late = await listen(http.url, { taskIds: [taskId] });
  await late.next();
  const { _meta, ttlMs: _, ...notified } = (await late.next()).params ?? {};
  const { _meta: __, ttlMs: ___, resultType: ____, ...read } = (await ask(http.url, "tasks/get", { taskId })).result ??
    {};
  assertEquals(notified, read);
  assertEquals(early.messages.filter(isEnd).length, 1);
});

Deno.test("a hundred subscribers get every change of their own task, in order", async () => {
  await using http = await serveHttp("operation");
  const streams: { readonly taskId: string; readonly events: Events }[] = [];
  for (let i = 0; i < 100; i++) {
    const { taskId } = await callTool(http.url, "contract");
    const events = await listen(http.url, { taskIds: [taskId] });
    assertEquals((await events.next()).params?.notifications, { taskIds: [taskId] });
    streams.push({ taskId, events });
  }
  await using _worker = createWorker(http.backend, [{ ...contract, run: () => ({ done: true }) }], { concurrency: 10 });
  for (const { taskId, events } of streams) {
    await events.next(isEnd);
    const notified = events.messages.slice(1);
    assertEquals(new Set(notified.map(({ params }) => params?.taskId)), new Set([taskId]));
    assertEquals(notified.map(statusOf).lastIndexOf("working"), notified.length - 2);
    await events[Symbol.asyncDispose]();
  }
});

Deno.test("the end of a task is sent even if the store fails just when the result is read", async () => {
  await using http = await serveHttp("operation");
  const { taskId } = await callTool(http.url, "hold", { gate: "fails" });
  await using events = await listen(http.url, { taskIds: [taskId] });
  await events.next((message) => statusOf(message) === "working");
  const { backend } = http;
  const outcome = backend.outcome.bind(backend);
  let reads = 0;
  backend.outcome = (id, owner) => ++reads === 1 ? Promise.reject(new BackendError("away")) : outcome(id, owner);
  await callTool(http.url, "open_gate", { gate: "fails" });
  await events.next(isEnd);
  assertEquals(reads, 2);
});

Deno.test("a subscriber to the log of a task is notified when lines come; there are no log messages", async () => {
  const gate = Promise.withResolvers<void>();
  const backend = new MemoryBackend();
  const strategy = new AdaptiveExposureStrategy({ inlineWithin: 0 });
  const server = new AsyncToolServer({ name: "talking", version: "1.0.0", backend, strategy, audit: () => {} });
  server.asyncTool({ name: "talk", input: { type: "object" } }, async (_, ctx) => {
    await ctx.log("begun");
    await gate.promise;
    await ctx.progress(0.5);
    await ctx.log("error", "ended");
  });
  await using served = await serve(server);
  const { url } = served;
  const discovered = (await ask(url, "server/discover", {})).result;
  assertEquals(discovered?.capabilities.logging, undefined);
  const { taskId } = await callTool(url, "talk");
  const uri = `mcp://results/talk/${taskId}/log`;
  const other = "mcp://results/talk/01a20500-0000-7000-8000-000000000000/log";
  {
    await using events = await listen(url, { resourceSubscriptions: [uri, other] });
    assertEquals((await events.next()).params?.notifications, { resourceSubscriptions: [uri] });
    assertEquals((await events.next()).params?.uri, uri);
    gate.resolve();
    while (events.messages.length < 3) await events.next();
    const notified = events.messages.slice(1).map(({ method, params }) => [method, params?.uri]);
    assertEquals(notified, Array.from({ length: 2 }, () => ["notifications/resources/updated", uri]));
  }
  const read = (await ask(url, "resources/read", { uri })).result;
  assertStringIncludes(read?.contents[0].text, " info begun\n");
});

Deno.test("a subscriber to a result is notified when it is there, and of no other resource", async () => {
  await using http = await serveHttp("operation");
  const { taskId, _meta } = await callTool(http.url, "hold", { gate: "resource" });
  const uri = _meta.resourceUri;
  const other = "mcp://results/hold/00000000-0000-7000-8000-000000000000";
  await using events = await listen(http.url, { resourceSubscriptions: [uri, other] });
  assertEquals((await events.next()).params?.notifications, { resourceSubscriptions: [uri] });
  await callTool(http.url, "open_gate", { gate: "resource" });
  const { method, params } = await events.next();
  assertEquals([method, params?.uri], ["notifications/resources/updated", uri]);
  await using late = await listen(http.url, { resourceSubscriptions: [uri], taskIds: [taskId] });
  assertEquals((await late.next()).params?.notifications, { resourceSubscriptions: [uri], taskIds: [taskId] });
  await late.next(isEnd);
  assertEquals((await late.next()).method, "notifications/resources/updated");
});

Deno.test("a client without the extension, or with an invalid filter, gets no notifications of tasks", async () => {
  await using http = await serveHttp("operation");
  const { taskId } = await callTool(http.url, "hold", { gate: "refused" });
  const refused = await send(http.url, "subscriptions/listen", { notifications: { taskIds: [taskId] } }, {});
  assertEquals([refused.status, (await refused.json()).error.code], [400, -32021]);
  for (const notifications of [{ taskIds: taskId }, { taskIds: [7] }, { taskIds: Array(1001).fill(taskId) }, 7]) {
    const { error } = await ask(http.url, "subscriptions/listen", { notifications });
    assertEquals(error?.code, -32602, JSON.stringify(notifications).slice(0, 80));
  }
  await callTool(http.url, "open_gate", { gate: "refused" });
});

Deno.test("a request to subscribe that would fill the memory for as long as it is open is refused; the largest useful one is not", async () => {
  await using http = await serveHttp("operation");
  const uri = (n: number) => `mcp://results/${"x".repeat(64)}/${newTaskId()}/log?n=${n}`;
  const names = Array.from({ length: 1_000 }, (_, n) => n);
  const useful = { taskIds: names.map(() => newTaskId()), resourceSubscriptions: names.map(uri) };
  await using events = await listen(http.url, useful);
  assertEquals((await events.next()).method, "notifications/subscriptions/acknowledged");
  for (const much of ["x".repeat(262_144), Array(4_000).fill([])]) {
    for (const params of [{ notifications: { much } }, { notifications: {}, much }]) {
      const { error } = await ask(http.url, "subscriptions/listen", params);
      assertEquals(error?.code, -32602);
      assertStringIncludes(error?.message ?? "", "more than 262144 bytes, or 4000 fields and items");
    }
    const client = { ...TASKS, experimental: { all: { much } } };
    const response = await send(http.url, "subscriptions/listen", { notifications: {} }, client);
    assertEquals([response.status, (await response.json()).error.code], [400, -32602]);
  }
});

Deno.test("a subscription to tasks that cannot be read now is an error, and they do not count as unknown", async () => {
  const backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend, { limits: { readsPerMinute: 1 } });
  const url = new URL("http://localhost/mcp");
  const fetch = (method: string, params: Fields) => server.fetch(request(url, method, params));
  const start = async () => {
    await using events = new Events(await fetch("tools/call", { name: "contract", arguments: {} }));
    return (await events.next()).result?.taskId;
  };
  const taskIds = [await start(), await start()];
  const listen = async () => {
    await using events = new Events(await fetch("subscriptions/listen", { notifications: { taskIds } }));
    return await events.ended();
  };
  const [limited, ...more] = await listen();
  assertEquals([limited?.error?.code, more], [-32005, []]);
  assertStringIncludes(limited?.error?.message ?? "", "Cannot read: 1 times a minute is the most.");
  await using broken = fixtureServer("operation", backend);
  backend.get = () => Promise.reject(new BackendError("The disk is gone."));
  await using events = new Events(
    await broken.fetch(request(url, "subscriptions/listen", { notifications: { taskIds } })),
  );
  assertEquals((await events.ended()).map(({ error }) => error?.code), [-32603]);
});

Deno.test("over stdio, subscriptions that were refused leave room for others", async () => {
  await using pipe = new Pipe(
    runInPlace(fixtureServer("operation", new MemoryBackend(), { limits: { readsPerMinute: 1 } })),
  );
  const taskIds = [newTaskId(), newTaskId()];
  const params = { notifications: { taskIds }, _meta: envelope(TASKS) };
  const listening = Array.from({ length: 1_000 }, () => ({ jsonrpc: "2.0", method: "subscriptions/listen", params }));
  // The SDK allows 1,024 at once.
  for (const first of [1, 1_001]) {
    await pipe.line(listening.map((message, index) => JSON.stringify({ ...message, id: first + index })).join("\n"));
    const last = await pipe.next(({ id }) => id === first + listening.length - 1);
    assertEquals(last.error?.code, -32005);
  }
});

Deno.test("a server that shuts down ends subscriptions with a result", async () => {
  const http = await serveHttp("operation");
  const { taskId } = await callTool(http.url, "contract");
  await using events = await listen(http.url, { taskIds: [taskId] });
  await events.next((message) => message.method === "notifications/tasks");
  await http[Symbol.asyncDispose]();
  assertEquals((await events.ended()).at(-1)?.result?.resultType, "complete");
});

Deno.test("a subscriber that does not read holds nothing up, and gets the newest changes when it reads on", async () => {
  const backend = new MemoryBackend();
  const strategy = new OperationResourceStrategy();
  await using server = new AsyncToolServer({ name: "busy", version: "1.0.0", backend, strategy });
  const listening = Promise.withResolvers<void>();
  const busy = server.asyncTool({ name: "busy", input: { type: "object" } }, async (_, ctx) => {
    await listening.promise;
    for (let step = 1; step <= 1_000; step++) await ctx.progress(step / 1_000, `step ${step}`);
    return { steps: 1_000 };
  });
  await using _worker = createWorker(backend, [busy]);
  const url = new URL("http://localhost/mcp");
  const fetch = (method: string, params: Fields) => server.fetch(request(url, method, params));
  await using created = new Events(await fetch("tools/call", { name: "busy", arguments: {} }));
  const taskId = (await created.next()).result?.taskId;
  await using events = new Events(await fetch("subscriptions/listen", { notifications: { taskIds: [taskId] } }));
  await events.next();
  listening.resolve();
  let task: Message["result"];
  while (task?.status !== "completed") {
    await using read = new Events(await fetch("tasks/get", { taskId }));
    task = (await read.next()).result;
  }
  const end = await events.next(isEnd);
  assertEquals(end.params?.result.structuredContent, { steps: 1_000 });
  const steps = events.messages.flatMap(({ params }) => /step (\d+)/.exec(params?.statusMessage)?.[1] ?? []).map(
    Number,
  );
  assertEquals(steps, steps.toSorted((a, b) => a - b));
  assert(steps.length > 100 && steps.length < 500, `${steps.length} steps were received`);
});

Deno.test("a subscriber to a thousand tasks gets the state of each", async () => {
  const [strategy, backend] = [new OperationResourceStrategy(), new MemoryBackend()];
  const limits = { openTasks: 1_000, creationsPerMinute: 1_000, readsPerMinute: 1_000 };
  await using server = new AsyncToolServer({ name: "many", version: "1.0.0", backend, strategy, limits });
  server.registerAsyncTool(contract);
  const url = new URL("http://localhost/mcp");
  const taskIds: string[] = [];
  for (let i = 0; i < 1_000; i++) {
    await using events = new Events(
      await server.fetch(request(url, "tools/call", { name: "contract", arguments: {} })),
    );
    taskIds.push(String((await events.next()).result?.taskId));
  }
  await using events = new Events(
    await server.fetch(request(url, "subscriptions/listen", { notifications: { taskIds } })),
  );
  assertEquals((await events.next()).params?.notifications, { taskIds });
  for (const taskId of taskIds) assertEquals((await events.next()).params?.taskId, taskId);
});

Deno.test("a subscription stops following a task once it has ended, and the others once it is closed", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const registered = new ToolRegistry().register(contract);
  const surface = { tools: [], templates: [] };
  const all = [await tasks.start(registered, {}, "ann"), await tasks.start(registered, {}, "ann")];
  const to = { id: 1, taskIds: [], uris: [], capabilities: {} };
  const subscription = new TaskSubscription({ tasks, surface }, to, () => Promise.resolve());
  for (const task of all) subscription.follow(task);
  assertEquals(tasks.watched, 2);
  await tasks.cancel(all[0]?.id ?? "", "ann");
  assertEquals(tasks.watched, 1);
  subscription[Symbol.dispose]();
  assertEquals(tasks.watched, 0);
});

Deno.test("a subscription that its client cancels follows its tasks no longer", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const { id: taskId } = await tasks.start(new ToolRegistry().register(contract), {}, "ann");
  const surface = { tools: [], templates: [], tasks: { cancellable: [], forms: new Map(), notifications: false } };
  using listener = new TaskListener({ tasks, surface }, { owner: "ann", known: true });
  const id = "one";
  listener.receive({
    ...{ jsonrpc: "2.0", id, method: "subscriptions/listen" },
    params: { notifications: { taskIds: [taskId] } },
  });
  const method = "notifications/subscriptions/acknowledged";
  const params = { notifications: {}, _meta: { [SUBSCRIPTION_ID_META_KEY]: id } };
  await listener.send({ jsonrpc: "2.0", method, params }, () => Promise.resolve());
  assertEquals(tasks.watched, 1);
  listener.receive({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } });
  assertEquals(tasks.watched, 0);
});

Deno.test("a server without tasks notifies only the owner of its results", async () => {
  const backend = new MemoryBackend();
  await using server = fixtureServer("polling", backend);
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const url = new URL("http://localhost/mcp");
  const fetch = (method: string, params: Fields) => server.fetch(request(url, method, params));
  const call = async (name: string, args: Fields) => {
    await using events = new Events(await fetch("tools/call", { name, arguments: args }));
    return (await events.next(({ result }) => result !== undefined)).result ?? {};
  };
  const { structuredContent: { token } } = await call("hold_start", { gate: "told" });
  const uri = `mcp://results/hold/${token}`;
  const other = "mcp://results/hold/00000000-0000-7000-8000-000000000000";
  await using events = new Events(
    await fetch("subscriptions/listen", { notifications: { taskIds: [token], resourceSubscriptions: [uri, other] } }),
  );
  assertEquals((await events.next()).params?.notifications, { resourceSubscriptions: [uri] });
  await call("open_gate", { gate: "told" });
  const { method, params } = await events.next();
  assertEquals([method, params?.uri], ["notifications/resources/updated", uri]);
});
