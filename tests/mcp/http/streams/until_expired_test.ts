import { type Identity, MemoryBackend } from "../../../../mod.ts";
import { untilExpired } from "../../../../src/mcp/http/streams/until_expired.ts";
import { assertEquals, assertMatch, assertRejects, FakeTime } from "../../../../tools/std.ts";
import { pass } from "../../../support/time.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { request } from "../../support/modern.ts";
import type { Fields } from "../../support/wire_message.ts";
import { Raw } from "../support/raw.ts";

const CHUNK = new TextEncoder().encode(": keepalive\n\n");

/** A stream of the SDK, and the end that its client reads. */
function stage(expiresAt: number) {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const gone = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (source = controller),
    cancel: () => gone.resolve(),
  });
  const response = new Response(body, { headers: { "content-type": "text/event-stream" } });
  const passed = untilExpired(response, expiresAt).body;
  if (passed === null || source === undefined) throw new Error("There is no stream.");
  return { reader: passed.getReader(), gone: gone.promise, source };
}

Deno.test("a stream ends when its token expires, for the client and for the source, even if it is not read", async () => {
  using time = new FakeTime(990);
  const { reader, gone, source } = stage(1_000);
  source.enqueue(CHUNK);
  assertEquals((await reader.read()).value, CHUNK);
  source.enqueue(CHUNK);
  time.tick(10);
  await gone;
  assertEquals((await reader.read()).done, true);
});

Deno.test("a stream ends within a minute if its token expires while the machine sleeps", async () => {
  using time = new FakeTime(0);
  const { gone } = stage(7_200_000);
  const { Date } = globalThis;
  const now = () => Date.now() + 7_200_000;
  // Timers have not noticed that.
  globalThis.Date = new Proxy(Date, { get: (target, name) => name === "now" ? now : Reflect.get(target, name) });
  await time.tickAsync(60_000);
  await gone;
});

Deno.test("a stream that ends, fails or loses its client before its token expires ends in that way", async () => {
  const ended = stage(Infinity);
  ended.source.enqueue(CHUNK);
  ended.source.close();
  assertEquals([(await ended.reader.read()).done, (await ended.reader.read()).done], [false, true]);
  const failed = stage(Infinity);
  failed.source.error(new Error("The disk is gone."));
  await assertRejects(() => failed.reader.read(), Error, "The disk is gone.");
  const left = stage(Infinity);
  await left.reader.cancel();
  await left.gone;
});

Deno.test("nothing fails if the token expires while the source of a stream whose client has gone is still ending", async () => {
  using time = new FakeTime(0);
  const ended = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({ cancel: () => ended.promise });
  const response = new Response(body, { headers: { "content-type": "text/event-stream" } });
  const passed = untilExpired(response, 1_000, { jsonrpc: "2.0", id: 1, method: "tools/call" });
  const gone = passed.body?.cancel();
  await time.tickAsync(1_000);
  ended.resolve();
  await gone;
});

Deno.test("anything but an event stream with an expiry is passed on unchanged", () => {
  const json = Response.json({});
  const stream = new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } });
  assertEquals([untilExpired(json, 1), untilExpired(stream, undefined)], [json, stream]);
});

/** A server whose tokens expire in a second, once a test says so. */
function house() {
  let expiresAt: number | undefined;
  const created = Promise.withResolvers<void>();
  const backend = new MemoryBackend();
  const server = fixtureServer("operation", backend, {
    authenticate: (): Identity => ({ principal: "ann", ...(expiresAt && { expiresAt }) }),
    audit: ({ event }) => event === "created" && created.resolve(),
  });
  return {
    server,
    created: created.promise,
    statuses: async () => (await backend.list("ann", { limit: 10 })).tasks.map(({ status }) => status),
    expire: () => void (expiresAt = Date.now() + 1_000),
    renew: () => void (expiresAt = undefined),
    modern: (method: string, params: Fields) =>
      server.fetch(request(new URL("http://localhost/mcp"), method, params, {})),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** For how long after its token a request may wait for its answer at least, and at most, in ms. */
const [LEAST_MS, MOST_MS] = [10_000, 20_000];

/** Reads a stream to its end: when its token expires, or `later`. */
async function ended(response: Response, time: FakeTime, later = 0): Promise<string> {
  assertEquals([response.status, response.headers.get("content-type")], [200, "text/event-stream"]);
  let over = false;
  const text = response.text().finally(() => over = true);
  if (later > 0) await time.tickAsync(1_000 + LEAST_MS - 1);
  assertEquals(over, false);
  await time.tickAsync(later > 0 ? later - LEAST_MS + 1 : 1_000);
  return await text;
}

Deno.test("the streams of a session end with the token of their request, calls last, and it goes on with a new one", async () => {
  using time = new FakeTime();
  await using stage = house();
  const raw = await pass(time, Raw.open(stage.server.fetch));
  stage.expire();
  await ended(await pass(time, raw.send({ method: "GET" })), time);
  stage.expire();
  const call = await ended(
    await pass(time, raw.post("tools/call", { name: "contract", arguments: {} })),
    time,
    MOST_MS,
  );
  assertEquals(call.includes("error"), false);
  const [, lastEventId = ""] = /^id: (.*)$/m.exec(call) ?? [];
  stage.expire();
  await ended(await pass(time, raw.send({ method: "GET", headers: { "last-event-id": lastEventId } })), time, MOST_MS);
  stage.renew();
  await using listening = await pass(time, raw.listen());
  const id = await pass(time, raw.start("contract"));
  await pass(time, raw.ask("tasks/cancel", { taskId: id }));
  assertEquals((await pass(time, listening.message())).params.status, "cancelled");
});

Deno.test("2026-07-28: a subscription ends with its token, and later a plain call with an error; its work goes on", async () => {
  using time = new FakeTime();
  await using stage = house();
  stage.expire();
  const subscribe = stage.modern("subscriptions/listen", { notifications: { toolsListChanged: true } });
  assertEquals((await ended(await pass(time, subscribe), time)).includes("error"), false);
  stage.expire();
  const call = await pass(time, stage.modern("tools/call", { name: "contract", arguments: {} }));
  await pass(time, stage.created);
  const [, data = ""] = /^data: (.*)\n\n$/m.exec(await ended(call, time, MOST_MS)) ?? [];
  const { id, error } = JSON.parse(data);
  assertEquals([typeof id, error.code], ["number", -32603]);
  assertMatch(
    error.message,
    /^The token of this request has expired\b.* Send the same request again with a new token\b/,
  );
  assertEquals(await stage.statuses(), ["PENDING"]);
});
