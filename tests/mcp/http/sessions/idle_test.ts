import type { StreamStore } from "../../../../backend.ts";
import { MemoryBackend } from "../../../../mod.ts";
import { McpHost } from "../../../../src/mcp/host.ts";
import { OpenStreams } from "../../../../src/mcp/http/streams/open_streams.ts";
import { Sessions, type SessionsOptions } from "../../../../src/mcp/http/sessions/mod.ts";
import { pause } from "../../../../src/waiting.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../../../tools/std.ts";
import { type Fetch, type Message, Raw } from "../support/raw.ts";

const ANN = { owner: "ann", known: true };

/** The parameters of a first message that declares this experimental capability. */
function initializeWith(experimental: Message): Message {
  return { protocolVersion: "2025-11-25", capabilities: { experimental }, clientInfo: { name: "raw", version: "1" } };
}

function newHost(): McpHost {
  return new McpHost({ name: "idle", version: "1" }, {}, { tools: [], templates: [] });
}

function isConnected({ server }: McpHost): boolean {
  return server.transport !== undefined;
}

/** The sessions of one process. */
function newSessions(streams: StreamStore, options: Partial<SessionsOptions> = {}): Sessions {
  const { documents } = new MemoryBackend();
  return new Sessions({ bind: newHost, streams, documents, answers: new OpenStreams(), record: () => {}, ...options });
}

function fetchOf(sessions: Sessions, peer = ANN): Fetch {
  return async (request) => {
    const id = request.headers.get("mcp-session-id");
    const message = request.method === "POST" ? await request.json() : undefined;
    const call = { request, message };
    return id === null ? await sessions.begin(peer, call) : await sessions.resume(id, peer, call);
  };
}

Deno.test("a session that is not used for an hour is closed, unless its client has a stream open", async () => {
  await using backend = new MemoryBackend();
  let now = Date.now();
  await using sessions = newSessions(backend.streams, { now: () => now });
  const fetch = fetchOf(sessions);
  const [, listener] = [await Raw.open(fetch), await Raw.open(fetch)];
  const stream = await listener.listen();
  now += 3_599_999;
  await sessions.closeIdle();
  assertEquals(sessions.size, 2);
  now += 1;
  await sessions.closeIdle();
  assertEquals(sessions.size, 1);
  assertEquals((await listener.ask("ping")).result, {});
  await stream[Symbol.asyncDispose]();
  now += 3_600_000;
  await sessions.closeIdle();
  assertEquals(sessions.size, 0);
});

Deno.test("a session that is idle in one process goes on in the others", async () => {
  await using backend = new MemoryBackend();
  let now = Date.now();
  await using first = newSessions(backend.streams, { now: () => now });
  const raw = await Raw.open(fetchOf(first));
  const goOn = (sessions: Sessions) => {
    const same = new Raw(fetchOf(sessions));
    same.session = raw.session;
    return same.ask("ping");
  };
  await using second = newSessions(backend.streams, { now: () => now });
  now += 3_599_999;
  assertEquals((await goOn(second)).result, {});
  now += 1;
  await first.closeIdle();
  assertEquals([first.size, second.size], [0, 1]);
  await using third = newSessions(backend.streams, { now: () => now });
  assertEquals((await goOn(third)).result, {});
});

Deno.test("a session that is used again while it is being closed is open afterwards", async () => {
  await using backend = new MemoryBackend();
  let now = Date.now();
  const closing = Promise.withResolvers<void>();
  const bind = () => {
    const host = newHost();
    const { close } = host;
    host.close = () => closing.promise.then(() => close.call(host));
    return host;
  };
  await using sessions = newSessions(backend.streams, { bind, now: () => now });
  const raw = await Raw.open(fetchOf(sessions));
  now += 3_600_000;
  const closed = sessions.closeIdle();
  assertEquals(sessions.size, 0);
  assertEquals((await raw.ask("ping")).result, {});
  closing.resolve();
  await closed;
  assertEquals(sessions.size, 1);
});

Deno.test("a session that is used again outlives sessions that stay idle, whichever began first", async () => {
  await using backend = new MemoryBackend();
  let now = Date.now();
  const hosts: McpHost[] = [];
  const bind = () => {
    const host = newHost();
    hosts.push(host);
    return host;
  };
  await using sessions = newSessions(backend.streams, { bind, now: () => now });
  const fetch = fetchOf(sessions);
  const [used] = [await Raw.open(fetch), await Raw.open(fetch)];
  now += 1_800_000;
  assertEquals((await used.ask("ping")).result, {});
  now += 1_800_000;
  await sessions.closeIdle();
  assertEquals(sessions.size, 1);
  // The server of a session ends with it.
  assertEquals(hosts.map(isConnected), [true, false]);
  assertEquals((await used.ask("ping")).result, {});
});

Deno.test("the least recently used session makes room, even if another began first", async () => {
  await using backend = new MemoryBackend();
  const restored: string[] = [];
  const { readAfter } = backend.streams;
  backend.streams.readAfter = (stream, id) => {
    restored.push(stream);
    return readAfter.call(backend.streams, stream, id);
  };
  await using sessions = newSessions(backend.streams, { limits: { inProcess: 2 } });
  const fetch = fetchOf(sessions);
  const [used, unused] = [await Raw.open(fetch), await Raw.open(fetch)];
  await used.ask("ping");
  await Raw.open(fetch);
  await used.ask("ping");
  assertEquals(restored, []);
  await unused.ask("ping");
  assertEquals(restored, [`session ${unused.session}`]);
});

Deno.test("a session in use is stored for at least another hour, however long it has lasted", async () => {
  await using backend = new MemoryBackend();
  let now = Date.now();
  let retainedUntil = 0;
  const { append } = backend.streams;
  backend.streams.append = (stream, event, ttl) => {
    if (stream.startsWith("session ")) retainedUntil = now + ttl;
    return append.call(backend.streams, stream, event, ttl);
  };
  await using sessions = newSessions(backend.streams, { now: () => now });
  const raw = await Raw.open(fetchOf(sessions));
  for (let i = 0; i < 12; i++) {
    now += 1_000_000;
    await raw.ask("ping");
    assert(retainedUntil - now >= 3_600_000, `After ${i + 1} calls it is kept for ${retainedUntil - now} ms.`);
  }
});

Deno.test("a first message that would fill the memory for as long as its session lasts is refused; a smaller one is stored", async () => {
  await using backend = new MemoryBackend();
  await using sessions = newSessions(backend.streams);
  const begin = (much: unknown) => new Raw(fetchOf(sessions)).post("initialize", initializeWith({ all: { much } }));
  for (const much of ["x".repeat(65_536), Array(1_000).fill([])]) {
    const response = await begin(much);
    const { id, error } = await response.json();
    assertEquals([response.status, id, error.code, sessions.size], [400, 1, -32600, 0]);
    assertStringIncludes(
      error.message,
      "initialize has more than 65536 characters, or more than 1000 fields and items",
    );
  }
  const response = await begin("x".repeat(60_000));
  await response.body?.cancel();
  const stored = await backend.streams.readAfter(`session ${response.headers.get("mcp-session-id")}`, "");
  assertEquals([sessions.size, stored.length], [1, 1]);
});

Deno.test("requests that reach another process at the same time share one restored session", async () => {
  await using backend = new MemoryBackend();
  await using first = newSessions(backend.streams);
  const raw = await Raw.open(fetchOf(first));
  let begun = 0;
  const bind = () => {
    begun++;
    return newHost();
  };
  await using second = newSessions(backend.streams, { bind });
  const same = new Raw(fetchOf(second));
  same.session = raw.session;
  const answers = await Promise.all([1, 2, 3].map(() => same.ask("ping")));
  assertEquals(answers.map(({ result }) => result), [{}, {}, {}]);
  assertEquals([begun, second.size], [1, 1]);
});

Deno.test("a client that has stopped reading its stream does not keep its session open", async () => {
  await using backend = new MemoryBackend();
  let now = Date.now();
  const host = newHost();
  await using sessions = newSessions(backend.streams, { bind: () => host, now: () => now });
  const raw = await Raw.open(fetchOf(sessions));
  const unread = await raw.send({ method: "GET" });
  const push = async (count: number) => {
    const message = { jsonrpc: "2.0", method: "notifications/tasks/status" } as const;
    for (let i = 0; i < count; i++) await host.server.transport?.send(message);
    // What was sent is forwarded in the same turn.
    await pause(0);
  };
  await push(300);
  now += 60_000;
  await push(1);
  now += 3_600_000;
  await sessions.closeIdle();
  assertEquals(sessions.size, 0);
  await assertRejects(() => unread.text(), Error, "has read none for a minute");
});

/** The response to an attempt to begin a session. */
async function refusal(
  fetch: Fetch,
): Promise<{ readonly status: number; readonly after: string | null; error: Message }> {
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } };
  const response = await new Raw(fetch).post("initialize", params);
  if (response.ok) throw new Error("The session has begun.");
  const { error } = await response.json();
  return { status: response.status, after: response.headers.get("retry-after"), error };
}

Deno.test("the least recently used idle session makes room for a new one; if all are in use, the new one is refused", async () => {
  await using backend = new MemoryBackend();
  await using sessions = newSessions(backend.streams, { limits: { inProcess: 2 } });
  const fetch = fetchOf(sessions);
  const [first, listener] = [await Raw.open(fetch), await Raw.open(fetch)];
  await using _stream = await listener.listen();
  const third = await Raw.open(fetch);
  assertEquals(sessions.size, 2);
  // The session that made room goes on, and now the other one has to make room.
  const stream = await first.listen();
  assertEquals(sessions.size, 2);
  const { status, after, error } = await refusal(fetch);
  assertEquals([status, after, error.code, error.data.limit], [503, "60", -32005, "sessions"]);
  assertEquals((await third.post("ping")).status, 503);
  assertEquals(sessions.size, 2);
  await stream[Symbol.asyncDispose]();
  assertEquals((await third.ask("ping")).result, {});
  assertEquals(sessions.size, 2);
});

Deno.test("a principal has a limited number of sessions, and takes none from another principal", async () => {
  await using backend = new MemoryBackend();
  await using sessions = newSessions(backend.streams, { limits: { ofOne: 2 } });
  const [ann, bob] = [fetchOf(sessions), fetchOf(sessions, { owner: "bob", known: true })];
  await Raw.open(bob);
  const clients = [await Raw.open(ann), await Raw.open(ann), await Raw.open(ann)];
  assertEquals(sessions.size, 3);
  await using _first = await (clients[1] ?? clients[0])?.listen();
  await using _second = await clients[2]?.listen();
  const { status, error } = await refusal(ann);
  assertEquals([status, error.code, error.data.limit], [429, -32005, "sessions"]);
  await Raw.open(bob);
  assertEquals(sessions.size, 4);
  // Anonymous callers do not count as one principal.
  const anybody = fetchOf(sessions, { owner: "anonymous", known: false });
  for (let i = 0; i < 3; i++) await Raw.open(anybody);
  assertEquals(sessions.size, 7);
});

Deno.test("if many sessions begin at once, no more begin than the limit allows", async () => {
  await using backend = new MemoryBackend();
  await using sessions = newSessions(backend.streams, { limits: { inProcess: 2 } });
  const begun = await Promise.allSettled(Array.from({ length: 5 }, () => Raw.open(fetchOf(sessions))));
  assertEquals([begun.filter(({ status }) => status === "fulfilled").length, sessions.size], [2, 2]);
});

Deno.test("a request that does not become a session takes no slot, and leaves no server behind", async () => {
  await using backend = new MemoryBackend();
  const hosts: McpHost[] = [];
  let fails = false;
  const bind = () => {
    if (fails) throw new TypeError("This server cannot begin.");
    const host = newHost();
    hosts.push(host);
    return host;
  };
  await using elsewhere = newSessions(backend.streams);
  const moved = await Raw.open(fetchOf(elsewhere));
  await using sessions = newSessions(backend.streams, { bind, limits: { inProcess: 1 } });
  const fetch = fetchOf(sessions);
  const raw = new Raw(fetch);
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: {} });
  // The SDK refuses the first for its `accept` header, and the second because it names no session.
  const unread = await raw.send({ method: "POST", body, headers: { accept: "text/plain" } });
  assertEquals([unread.status, (await raw.post("ping")).status], [406, 400]);
  assertEquals(hosts.map(isConnected), [false, false]);
  fails = true;
  const same = new Raw(fetch);
  same.session = moved.session;
  await assertRejects(() => same.post("ping"), TypeError, "This server cannot begin.");
  fails = false;
  await Raw.open(fetch);
  assertEquals(sessions.size, 1);
  // Nor does it take the slot of a session that is idle.
  assertEquals([(await raw.post("ping")).status, sessions.size], [400, 1]);
});

Deno.test("a session that its client has deleted takes no slot any longer", async () => {
  await using backend = new MemoryBackend();
  await using sessions = newSessions(backend.streams);
  const raw = await Raw.open(fetchOf(sessions));
  assertEquals([(await raw.send({ method: "DELETE" })).status, sessions.size], [200, 0]);
});

Deno.test("the number of reads does not show a stranger whether a session is open here, in another process, or nowhere", async () => {
  await using backend = new MemoryBackend();
  const { streams } = backend;
  const reads: string[] = [];
  const counted: StreamStore = {
    append: (stream, event, ttl) => streams.append(stream, event, ttl),
    clear: (stream) => streams.clear(stream),
    readAfter(stream, id) {
      reads.push(stream);
      return streams.readAfter(stream, id);
    },
  };
  await using here = newSessions(counted);
  await using elsewhere = newSessions(streams);
  const open = await Raw.open(fetchOf(here));
  const kept = await Raw.open(fetchOf(elsewhere));
  const bob = new Raw(fetchOf(here, { owner: "bob", known: true }));
  for (const session of [open.session, kept.session, crypto.randomUUID()]) {
    reads.length = 0;
    bob.session = session;
    const { error } = await bob.ask("ping");
    assertEquals([error.code, reads], [-32001, [`session ${session}`]]);
  }
  // The owner is answered without a read.
  reads.length = 0;
  assertEquals([(await open.ask("ping")).result, reads], [{}, []]);
});
