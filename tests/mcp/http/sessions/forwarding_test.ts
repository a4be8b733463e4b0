import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { createWorker, MemoryBackend } from "../../../../mod.ts";
import type { DocumentStore } from "../../../../backend.ts";
import { Forwarding } from "../../../../src/mcp/http/sessions/forwarding.ts";
import { resumedElsewhere } from "../../../../src/mcp/messages/message.ts";
import { turn } from "../../../../src/waiting.ts";
import { assertEquals, assertRejects, FakeTime } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { pass } from "../../../support/time.ts";
import { byName } from "../support/by_name.ts";
import { Events, type Message, Raw } from "../support/raw.ts";

const CANCELLED: JSONRPCMessage = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } };

/** Two servers of one store, with a worker, and a client with the same session on both. */
async function twoServers(capabilities: Message = {}) {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(new MemoryBackend());
  const options = { authenticate: byName, onError: () => {} };
  // The server that is closed first closes the backend.
  const [first, second] = [fixtureServer("operation", backend, options), fixtureServer("operation", backend, options)];
  stack.use(first);
  stack.use(second);
  stack.use(createWorker(backend, first.registry.list().map(({ job }) => job)));
  const here = await Raw.open(first.fetch, "ann", capabilities);
  const there = new Raw(second.fetch, "ann");
  there.session = here.session;
  const kept = stack.move();
  return { backend, here, there, second, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** The request that posts a message. */
function posted(message: Message) {
  return { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", ...message }) };
}

/** Answers the question of a server. */
async function answer(raw: Raw, id: unknown, name: string): Promise<void> {
  const result = { action: "accept", content: { name } };
  const { status } = await raw.send(posted({ id, result }));
  assertEquals(status, 202);
}

/** How many messages no process has taken. */
async function left({ documents }: MemoryBackend): Promise<number> {
  return (await documents.list("forwarded:")).length;
}

/** Records the texts that are forwarded. */
function recordForwarded({ documents }: MemoryBackend): string[] {
  const forwarded: string[] = [];
  const { write } = documents;
  documents.write = (name, from, to) => {
    if (name.startsWith("forwarded:") && to !== undefined) forwarded.push(to);
    return write.call(documents, name, from, to);
  };
  return forwarded;
}

Deno.test("an answer goes to the question that it answers, whichever process has asked and whichever receives it", async () => {
  await using servers = await twoServers({ elicitation: {} });
  const { here, there } = servers;
  const calls = [];
  for (const raw of [here, there]) {
    const events = new Events(await raw.post("tools/call", { name: "introduce", arguments: {} }));
    calls.push({ raw, events, question: await events.message() });
  }
  const [first, second] = calls;
  await answer(there, first?.question.id, "Ann");
  await answer(here, second?.question.id, "Bob");
  assertEquals((await first?.events.message())?.result.structuredContent, { greeting: "Hello, Ann!" });
  assertEquals((await second?.events.message())?.result.structuredContent, { greeting: "Hello, Bob!" });
});

Deno.test("what a process can use itself is not forwarded", async () => {
  await using servers = await twoServers({ elicitation: {} });
  const { backend, here } = servers;
  const forwarded = recordForwarded(backend);
  const call = new Events(await here.post("tools/call", { name: "introduce", arguments: {} }));
  await answer(here, (await call.message()).id, "Ann");
  assertEquals((await call.message()).result.structuredContent, { greeting: "Hello, Ann!" });
  await here.cancel(here.id);
  const asking = new Events(await here.post("tools/call", { name: "ask", arguments: {} }));
  await answer(here, (await asking.message()).id, "Ann");
  await asking.message();
  const held = new Events(await here.post("tools/call", { name: "hold", arguments: { gate: "never" } }));
  const { id } = here;
  await here.ask("tools/call", { name: "await_gate", arguments: { gate: "never:started" } });
  await here.cancel(id);
  while (await held.next() !== undefined);
  assertEquals(forwarded, []);
});

for (const [where, other] of [["here", "there"], ["there", "here"], ["there", "there"]] as const) {
  Deno.test(`a call that is given up ${where} after it was answered leaves its task to the same call, also ${other}`, async () => {
    await using servers = await twoServers();
    const { backend, here } = servers;
    const call = { name: "steps", arguments: { gate: "go", steps: 1 } };
    await here.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
    await here.ask("tools/call", call);
    await servers[where].cancel(here.id, "McpError: MCP error -32001: Request timed out");
    while (await left(backend) > 0) await turn();
    assertEquals((await servers[other].ask("tools/call", call)).result.structuredContent, { taken: 1 });
    const { tasks } = await backend.list("ann", { limit: 10 });
    assertEquals(tasks.map(({ job }) => job), ["steps"]);
  });
}

for (const where of ["here", "there"] as const) {
  Deno.test(`a cancellation that comes ${where} before its call, and before there is a session, comes there cancels that call`, async () => {
    await using servers = await twoServers();
    const { backend, there } = servers;
    await servers[where].cancel(there.id + 1);
    const { promise: cancelled, resolve } = Promise.withResolvers<void>();
    backend.watch((event) => event.kind === "change" && event.task.status === "CANCELLED" && resolve());
    await using call = new Events(await there.post("tools/call", { name: "hold", arguments: { gate: "never" } }));
    while (await call.next() !== undefined);
    await cancelled;
    assertEquals(await left(backend), 0);
  });
}

Deno.test("nobody else can cancel a call with the id of its session, on any process", async () => {
  await using servers = await twoServers();
  const { backend, here, second } = servers;
  const forwarded = recordForwarded(backend);
  await using call = new Events(await here.post("tools/call", { name: "hold", arguments: { gate: "go" } }));
  const stranger = new Raw(second.fetch, "bob");
  stranger.session = here.session;
  const { message } = await assertRejects(() => stranger.cancel(here.id), Error);
  assertEquals([message, forwarded], ["The cancellation was answered with HTTP 404.", []]);
  await here.ask("tools/call", { name: "open_gate", arguments: { gate: "go" } });
  let event = await call.next();
  while (event?.message === undefined) event = await call.next();
  assertEquals(event.message.result.structuredContent, { said: "opened" });
});

Deno.test("a principal that sends too much for other processes is refused with 429, and others are not", async () => {
  await using servers = await twoServers();
  const { here, there } = servers;
  const send = (raw: Raw, requestId: number) =>
    raw.send(posted({ method: "notifications/cancelled", params: { requestId, reason: "x".repeat(59_000) } }));
  const statuses = [];
  for (let id = 1_000; statuses.at(-1) !== 429; id++) statuses.push((await send(here, id)).status);
  assertEquals([statuses.length, new Set(statuses)], [36, new Set([202, 429])]);
  assertEquals((await send(await Raw.open(here.fetch, "bob"), 1_000)).status, 202);
  assertEquals((await send(there, 1_000)).status, 202);
});

Deno.test("an answer for another process that is too large is refused with 413: to send it again would not help", async () => {
  await using servers = await twoServers();
  const answer = (length: number) => servers.here.send(posted({ id: 7, result: { text: "ä".repeat(length) } }));
  assertEquals((await answer(29_900)).status, 202);
  const refused = await answer(30_000);
  const { id, error } = await refused.json();
  assertEquals([refused.status, refused.headers.get("retry-after"), id], [413, null, null]);
  const why = "it has more than 60000 bytes. Send a smaller one.";
  assertEquals(error.message, `Cannot pass the message on to the process that can use it: ${why}`);
});

/** Messages between two processes: the first has the session, and takes what is for it. */
function twoProcesses() {
  const backend = new MemoryBackend();
  const received: JSONRPCMessage[] = [];
  const onError = (error: unknown) => {
    throw error;
  };
  const recipient = {
    isFor: (message: JSONRPCMessage) => "method" in message,
    receive: (message: JSONRPCMessage) => void received.push(message),
  };
  const owning = new Forwarding(backend.documents, (session) => session === "ours" ? recipient : undefined, onError);
  const sending = new Forwarding(backend.documents, () => undefined, onError);
  return { backend, received, owning, sending, [Symbol.asyncDispose]: () => backend.close() };
}

Deno.test("a message is deleted once a process has taken it", async () => {
  await using processes = twoProcesses();
  const { backend, received, owning, sending } = processes;
  await sending.send("ann", "ours", CANCELLED);
  while (await left(backend) > 0) await turn();
  assertEquals(received, [CANCELLED]);
  owning[Symbol.dispose]();
  sending[Symbol.dispose]();
});

Deno.test("a message that no process can use is deleted after 10 s, also if the process that sent it is gone", async () => {
  using time = new FakeTime();
  await using processes = twoProcesses();
  const { backend, received, owning, sending } = processes;
  const answer: JSONRPCMessage = { jsonrpc: "2.0", id: 7, result: {} };
  await sending.send("ann", "ours", answer);
  await turn();
  sending[Symbol.dispose]();
  assertEquals(await left(backend), 1);
  const { promise: deleted, resolve } = Promise.withResolvers<void>();
  const since = time.now;
  backend.documents.watch(() => resolve());
  await pass(time, deleted);
  assertEquals([await left(backend), received, time.now - since >= 10_000], [0, [], true]);
  owning[Symbol.dispose]();
});

/** A process that has every session and learns of no single message: `tell` says that it may have missed some. */
function reconnecting({ documents }: MemoryBackend) {
  let tell = () => {};
  const received: JSONRPCMessage[] = [];
  const recipient = { isFor: () => true, receive: (message: JSONRPCMessage) => void received.push(message) };
  const deaf: DocumentStore = {
    read: (name) => documents.read(name),
    list: (prefix) => documents.list(prefix),
    write: (name, from, to) => documents.write(name, from, to),
    watch: (listener) => (tell = () => listener(undefined), () => {}),
  };
  const forwarding = new Forwarding(deaf, () => recipient, () => {});
  return { received, forwarding, tell, [Symbol.dispose]: () => forwarding[Symbol.dispose]() };
}

Deno.test("a process that may have missed messages takes those that are left", async () => {
  await using backend = new MemoryBackend();
  using process = reconnecting(backend);
  using sending = new Forwarding(backend.documents, () => undefined, () => {});
  await sending.send("ann", "ours", CANCELLED);
  assertEquals(process.received, []);
  process.tell();
  while (process.received.length === 0) await turn();
  assertEquals(process.received, [CANCELLED]);
});

Deno.test("what is left of a process that was killed is used by none, and deleted by the next one that starts", async () => {
  using time = new FakeTime();
  await using backend = new MemoryBackend();
  const killed = new Forwarding(backend.documents, () => undefined, () => {});
  await killed.send("ann", "ours", CANCELLED);
  killed[Symbol.dispose]();
  await time.tickAsync(3_600_000);
  assertEquals(await left(backend), 1);
  using process = reconnecting(backend);
  const { promise: deleted, resolve } = Promise.withResolvers<void>();
  backend.documents.watch(() => resolve());
  process.tell();
  await pass(time, deleted);
  assertEquals([await left(backend), process.received], [0, []]);
});

Deno.test("a call that goes on here ends once another process goes on with it, and not because one did so before", async () => {
  await using backend = new MemoryBackend();
  using process = reconnecting(backend);
  using other = new Forwarding(backend.documents, () => undefined, () => {});
  other.resumed("ann", "ours", 7);
  process.forwarding.resumed("ann", "ours", 7);
  process.tell();
  while (await left(backend) > 1) await turn(); // Its own is for others.
  assertEquals(process.received, []);
  other.resumed("ann", "ours", 7);
  process.tell();
  while (process.received.length === 0) await turn();
  assertEquals(process.received, [resumedElsewhere(7)]);
});
