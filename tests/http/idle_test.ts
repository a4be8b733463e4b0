import { MemoryBackend, type StreamStore } from "../../mod.ts";
import { McpHost } from "../../src/mcp/host.ts";
import { OpenStreams } from "../../src/mcp/open_streams.ts";
import { Sessions } from "../../src/mcp/sessions.ts";
import { assertEquals } from "../../tools/std.ts";
import { type Fetch, Raw } from "./raw.ts";

const PEER = { owner: "ann", known: true };

/** The sessions of one process, whose clock `now` is. */
function newSessions(streams: StreamStore, now: () => number): Sessions {
  const bind = () => new McpHost({ name: "idle", version: "1" }, {}, { tools: [], templates: [] });
  return new Sessions(bind, streams, new OpenStreams(), now);
}

function fetchOf(sessions: Sessions): Fetch {
  return async (request) => {
    const id = request.headers.get("mcp-session-id");
    const message = request.method === "POST" ? await request.json() : undefined;
    const call = { request, message };
    return id === null ? await sessions.begin(PEER, call) : await sessions.resume(id, PEER, call);
  };
}

Deno.test("a session that nobody uses for an hour is closed, unless its client listens", async () => {
  await using backend = new MemoryBackend();
  let now = Date.now();
  await using sessions = newSessions(backend.streams, () => now);
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
  await using first = newSessions(backend.streams, () => now);
  const raw = await Raw.open(fetchOf(first));
  const goOn = (sessions: Sessions) => {
    const same = new Raw(fetchOf(sessions));
    same.session = raw.session;
    return same.ask("ping");
  };
  await using second = newSessions(backend.streams, () => now);
  now += 3_599_999;
  assertEquals((await goOn(second)).result, {});
  now += 1;
  await first.closeIdle();
  assertEquals([first.size, second.size], [0, 1]);
  await using third = newSessions(backend.streams, () => now);
  assertEquals((await goOn(third)).result, {});
});
