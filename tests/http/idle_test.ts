import { MemoryBackend } from "../../mod.ts";
import { McpHost } from "../../src/mcp/host.ts";
import { OpenStreams } from "../../src/mcp/open_streams.ts";
import { Sessions } from "../../src/mcp/sessions.ts";
import { assertEquals } from "../../tools/std.ts";
import { Raw } from "./raw.ts";

Deno.test("a session that nobody uses for an hour is closed for good, unless its client listens", async () => {
  await using backend = new MemoryBackend();
  let now = Date.now();
  const bind = () => new McpHost({ name: "idle", version: "1" }, {}, { tools: [], templates: [] });
  await using sessions = new Sessions(bind, backend.streams, new OpenStreams(), () => now);
  const peer = { owner: "ann", known: true };
  const fetch = async (request: Request) => {
    const id = request.headers.get("mcp-session-id");
    const message = request.method === "POST" ? await request.json() : undefined;
    const call = { request, message };
    return id === null ? sessions.begin(peer, call) : sessions.resume(id, peer, call);
  };
  const [idle, listener] = [await Raw.open(fetch), await Raw.open(fetch)];
  const stream = await listener.listen();
  now += 3_599_999;
  await sessions.closeIdle();
  assertEquals(sessions.size, 2);
  now += 1;
  await sessions.closeIdle();
  assertEquals(sessions.size, 1);
  assertEquals((await idle.post("ping")).status, 404);
  assertEquals((await listener.ask("ping")).result, {});
  await stream[Symbol.asyncDispose]();
  now += 3_600_000;
  await sessions.closeIdle();
  assertEquals(sessions.size, 0);
});
