import { type AuditEvent, createWorker, DenoKvBackend, MemoryBackend } from "../../../../mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { byName } from "../support/by_name.ts";
import { Events, Raw } from "../support/raw.ts";
import { pause } from "../../../../src/waiting.ts";
import { TempFolder } from "../../../support/temp_folder.ts";

Deno.test("server.fetch works inside any server that speaks Request and Response", async () => {
  await using backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const raw = await Raw.open(server.fetch);
  const { result } = await raw.ask("tools/call", { name: "strict", arguments: { id: 1 } });
  assertEquals(result.structuredContent, { id: 1 });
});

Deno.test("a body without an announced length is 413 once it is over 17 MiB", async () => {
  await using server = fixtureServer("operation");
  const mebibyte = new Uint8Array(1024 * 1024).fill(32);
  let read = 0;
  const body = new ReadableStream({
    pull: (controller) => read++ < 100 ? controller.enqueue(mebibyte) : controller.close(),
  });
  const headers = { host: "localhost", "content-type": "application/json" };
  const { status } = await server.fetch(new Request("http://localhost/mcp", { method: "POST", headers, body }));
  assertEquals(status, 413);
  assert(read < 25, `${read} MiB were read.`);
});

Deno.test("an initialize of 2025-11-25 begins a session, whatever its _meta says", async () => {
  await using server = fixtureServer("operation");
  const raw = new Raw(server.fetch);
  const response = await raw.post("initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "raw", version: "1.0.0" },
    _meta: { "io.modelcontextprotocol/protocolVersion": "2025-11-25" },
  });
  await response.body?.cancel();
  assertEquals(response.status, 200);
  assert(response.headers.has("mcp-session-id"));
});

Deno.test("a session is stored before its client gets its id: the next request may go to another process", async () => {
  const backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  const { append } = backend.streams;
  const order: string[] = [];
  backend.streams.append = async (stream, ...event) => {
    if (stream.startsWith("session ")) {
      await pause(20);
      order.push("kept");
    }
    await append.call(backend.streams, stream, ...event);
  };
  await Raw.open(server.fetch);
  order.push("opened");
  assertEquals(order, ["kept", "opened"]);
});

Deno.test("a session that is restored in another process accepts no request before it knows its client", async () => {
  await using backend = new MemoryBackend();
  const first = fixtureServer("operation", backend);
  const { session } = await Raw.open(first.fetch, undefined, { elicitation: {} });
  const second = fixtureServer("operation", backend);
  const { append } = backend.streams;
  const keeping = Promise.withResolvers<void>();
  backend.streams.append = async (stream, ...event) => {
    if (stream.startsWith("session ")) {
      keeping.resolve();
      await pause(20);
    }
    await append.call(backend.streams, stream, ...event);
  };
  const raw = new Raw(second.fetch);
  raw.session = session;
  const listening = raw.listen();
  await keeping.promise;
  const call = new Events(await raw.post("tools/call", { name: "introduce", arguments: {} }));
  assertEquals((await call.message()).method, "elicitation/create");
  await (await listening)[Symbol.asyncDispose]();
  await raw.cancel(raw.id);
  await call[Symbol.asyncDispose](); // The server would wait for a client that does not read.
  await first.close();
  await second.close();
});

Deno.test("a call whose question is open when the server ends is answered at once", async () => {
  const server = fixtureServer("operation", new MemoryBackend());
  const raw = await Raw.open(server.fetch, undefined, { elicitation: {} });
  await using call = new Events(await raw.post("tools/call", { name: "introduce", arguments: {} }));
  assertEquals((await call.message()).method, "elicitation/create");
  const closed = server.close();
  let message = await call.message();
  while (message.result === undefined) message = await call.message();
  const { content: [said], isError } = message.result;
  assertEquals([said.text, isError], ["The server is shutting down. Call again.", true]);
  await closed;
});

Deno.test("another principal's session is answered like one that never existed, and is in the audit log", async () => {
  const audited: unknown[] = [];
  const audit = ({ operation, principal, reason }: AuditEvent) => void audited.push([operation, principal, reason]);
  await using server = fixtureServer("operation", undefined, { authenticate: byName, audit });
  const ann = await Raw.open(server.fetch, "ann");
  const bob = new Raw(server.fetch, "bob");
  const answers: unknown[] = [];
  for (const session of [ann.session, crypto.randomUUID(), "__proto__", "x".repeat(5_000)]) {
    bob.session = session;
    const post = await bob.post("tools/list");
    answers.push([post.status, await post.text()]);
    const get = await bob.send({ method: "GET" });
    answers.push([get.status, await get.text()]);
    const gone = await bob.send({ method: "DELETE" });
    answers.push([gone.status, await gone.text()]);
  }
  assertEquals(new Set(answers.map((one) => JSON.stringify(one))).size, 1);
  assertEquals(audited.slice(1), Array(answers.length).fill(["session", "bob", "Session not found."]));
  assertStringIncludes(JSON.stringify(answers[0]), "Session not found: begin a new one. Your tasks are still there.");
  assert(Array.isArray((await ann.ask("tools/list")).result.tools));
});

Deno.test("messages that were pushed while the client was away come when it resumes, once and in order", async () => {
  await using backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const raw = await Raw.open(server.fetch);
  const broken = await raw.listen();
  const id = await raw.start("steps", { gate: "go", end: "end", steps: 3 });
  const first = await broken.next();
  assertEquals(first?.message?.params.taskId, id);
  await broken[Symbol.asyncDispose]();
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
  await raw.ask("tools/call", { name: "await_gate", arguments: { gate: "go:stepped" } });
  await using resumed = await raw.listen(first?.id);
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "end" } });
  const answers: string[] = [];
  const ids = [first?.id ?? ""];
  while (answers.at(-1) !== "completed") {
    const event = await resumed.next();
    if (event?.message === undefined) throw new Error("The stream has ended.");
    ids.push(event.id);
    const { status, statusMessage } = event.message.params;
    answers.push(status === "completed" ? status : statusMessage);
  }
  assertEquals(answers.filter((text) => text !== undefined).at(-1), "completed");
  assert(answers.some((text) => text?.includes("step 3 of 3")), "What was told in between is there.");
  assertEquals(new Set(ids).size, ids.length);
  assertEquals(ids, [...ids].sort());
});

Deno.test("the answer to a call whose stream broke comes when it is resumed", async () => {
  await using backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const raw = await Raw.open(server.fetch);
  const broken = new Events(await raw.post("tools/call", { name: "hold", arguments: { gate: "slow" } }));
  const begun = await broken.next();
  assertEquals(begun?.message, undefined);
  await broken[Symbol.asyncDispose]();
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "slow" } });
  await using resumed = await raw.listen(begun?.id);
  assertEquals((await resumed.message()).result.structuredContent, { said: "opened" });
});

Deno.test("a stream whose break is not noticed yet is resumed all the same, and the old connection is closed", async () => {
  await using backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  const raw = await Raw.open(server.fetch);
  await using oldCall = new Events(await raw.post("tools/call", { name: "hold", arguments: { gate: "slow" } }));
  const begun = await oldCall.next();
  await using call = await raw.listen(begun?.id);
  assertEquals(await oldCall.next(), undefined);
  await using old = await raw.listen();
  const [first, second] = [await raw.start("contract"), await raw.start("contract")];
  await raw.ask("tasks/cancel", { taskId: first });
  const event = await old.next();
  await using listening = await raw.listen(event?.id);
  assertEquals(await old.next(), undefined);
  await raw.ask("tasks/cancel", { taskId: second });
  assertEquals((await listening.message()).params.taskId, second);
  await raw.ask("tools/call", { name: "open_gate", arguments: { gate: "slow" } });
  assertEquals((await call.message()).result.structuredContent, { said: "opened" });
});

Deno.test("a Last-Event-ID that is not one of ours is 400", async () => {
  await using server = fixtureServer("operation");
  const raw = await Raw.open(server.fetch);
  for (const id of ["1", "__proto__", `${crypto.randomUUID()}.a b`, `${crypto.randomUUID()}.${"x".repeat(5_000)}`]) {
    const response = await raw.send({ method: "GET", headers: { "last-event-id": id } });
    assertEquals(response.status, 400, id);
    await response.body?.cancel();
  }
});

Deno.test("a session goes on after a restart, with its tasks and the messages that its stream has missed", async () => {
  await using folder = await TempFolder.make();
  const path = `${folder.path}/jobs.kv`;
  let [session, last, id] = ["", "", ""];
  {
    const backend = await DenoKvBackend.open({ path });
    await using server = fixtureServer("operation", backend, { authenticate: byName });
    const raw = await Raw.open(server.fetch, "ann");
    session = raw.session;
    id = await raw.start("contract");
    const listening = await raw.listen();
    await raw.ask("tasks/get", { taskId: id });
    const other = await raw.start("contract");
    await raw.ask("tasks/cancel", { taskId: other });
    const event = await listening.next();
    assertEquals(event?.message?.params.status, "cancelled");
    last = event?.id ?? "";
    await listening[Symbol.asyncDispose]();
    // No stream is open when this one is pushed.
    await raw.ask("tasks/cancel", { taskId: id });
  }
  {
    const backend = await DenoKvBackend.open({ path });
    await using server = fixtureServer("operation", backend, { authenticate: byName });
    const stranger = new Raw(server.fetch, "bob");
    stranger.session = session;
    assertEquals((await (await stranger.post("tools/list")).json()).error.code, -32001);
    const raw = new Raw(server.fetch, "ann");
    raw.session = session;
    assertEquals((await raw.ask("tasks/get", { taskId: id })).result.status, "cancelled");
    await using resumed = await raw.listen(last);
    const { method, params } = await resumed.message();
    assertEquals([method, params.taskId, params.status], ["notifications/tasks/status", id, "cancelled"]);
  }
});

Deno.test("a session that its client has ended is gone, even after a restart", async () => {
  await using backend = new MemoryBackend();
  const first = fixtureServer("operation", backend);
  const raw = await Raw.open(first.fetch);
  await (await raw.send({ method: "DELETE" })).body?.cancel();
  const second = fixtureServer("operation", backend);
  for (const { fetch } of [first, second]) {
    const again = new Raw(fetch);
    again.session = raw.session;
    assertEquals((await again.post("tools/list")).status, 404);
  }
  await first.close();
  await second.close();
});

Deno.test("while the store of sessions does not answer, a session that it may hold is 503 rather than unknown", async () => {
  const backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  const known = await Raw.open(server.fetch);
  const other = new Raw(server.fetch);
  other.session = crypto.randomUUID();
  const down = () => Promise.reject(new Error("The disk is gone."));
  Object.assign(backend.streams, { readAfter: down, clear: down });
  assertEquals((await other.post("tools/list")).status, 503);
  assert(Array.isArray((await known.ask("tools/list")).result.tools));
  assertEquals((await known.send({ method: "DELETE" })).status, 503);
});

Deno.test("two clients get two sessions", async () => {
  await using server = fixtureServer("operation");
  assert((await Raw.open(server.fetch)).session !== (await Raw.open(server.fetch)).session);
});
