import { type Identity, MemoryBackend } from "../../../../mod.ts";
import { untilExpired } from "../../../../src/mcp/http/streams/until_expired.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { request } from "../../support/modern.ts";
import type { Fields } from "../../support/wire_message.ts";
import { Raw } from "../support/raw.ts";

const CHUNK = new TextEncoder().encode(": keepalive\n\n");

/** A stream of the SDK, and the end that its client reads. */
function stage(expiresAt: number, now: () => number) {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const gone = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (source = controller),
    cancel: () => gone.resolve(),
  });
  const response = new Response(body, { headers: { "content-type": "text/event-stream" } });
  const passed = untilExpired(response, expiresAt, now).body;
  if (passed === null || source === undefined) throw new Error("There is no stream.");
  return { reader: passed.getReader(), gone: gone.promise, source };
}

Deno.test("a stream ends when its token expires, for the client and for the source, even if it is not read", async () => {
  let now = 990;
  const { reader, gone, source } = stage(1_000, () => now);
  source.enqueue(CHUNK);
  assertEquals((await reader.read()).value, CHUNK);
  source.enqueue(CHUNK);
  now = 1_000;
  await gone;
  assertEquals((await reader.read()).done, true);
});

Deno.test("a stream that ends, fails or loses its client before its token expires ends in that way", async () => {
  const ended = stage(Infinity, () => 0);
  ended.source.enqueue(CHUNK);
  ended.source.close();
  assertEquals([(await ended.reader.read()).done, (await ended.reader.read()).done], [false, true]);
  const failed = stage(Infinity, () => 0);
  failed.source.error(new Error("The disk is gone."));
  await assertRejects(() => failed.reader.read(), Error, "The disk is gone.");
  const left = stage(Infinity, () => 0);
  await left.reader.cancel();
  await left.gone;
});

Deno.test("anything but an event stream with an expiry is passed on unchanged", () => {
  const json = Response.json({});
  const stream = new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } });
  assertEquals([untilExpired(json, 1), untilExpired(stream, undefined)], [json, stream]);
});

/** A server whose tokens expire soon, once a test says so. */
function house() {
  let expiresAt: number | undefined;
  const backend = new MemoryBackend();
  const server = fixtureServer("operation", backend, {
    authenticate: (): Identity => ({ principal: "ann", ...(expiresAt && { expiresAt }) }),
  });
  return {
    server,
    statuses: async () => (await backend.list("ann", { limit: 10 })).tasks.map(({ status }) => status),
    expireSoon: () => void (expiresAt = Date.now() + 50),
    renew: () => void (expiresAt = undefined),
    modern: (method: string, params: Fields) =>
      server.fetch(request(new URL("http://localhost/mcp"), method, params, {})),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Reads a stream to its end. */
async function ended(response: Response): Promise<void> {
  assertEquals([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
  await response.text();
}

Deno.test("the streams of a session end with the token of their request, and the session goes on with a new one", async () => {
  await using stage = house();
  const raw = await Raw.open(stage.server.fetch);
  stage.expireSoon();
  await ended(await raw.send({ method: "GET" }));
  stage.expireSoon();
  await ended(await raw.post("tools/call", { name: "contract", arguments: {} }));
  stage.renew();
  await using listening = await raw.listen();
  const id = await raw.start("contract");
  await raw.ask("tasks/cancel", { taskId: id });
  assertEquals((await listening.message()).params.status, "cancelled");
});

Deno.test("2026-07-28: a subscription ends with its token, and so does a plain call, whose work goes on", async () => {
  await using stage = house();
  stage.expireSoon();
  await ended(await stage.modern("subscriptions/listen", { notifications: { toolsListChanged: true } }));
  stage.expireSoon();
  await ended(await stage.modern("tools/call", { name: "contract", arguments: {} }));
  // The server has handled the end of the call by the time that it answers another request.
  stage.renew();
  await (await stage.modern("tools/list", {})).text();
  assertEquals(await stage.statuses(), ["PENDING"]);
});
