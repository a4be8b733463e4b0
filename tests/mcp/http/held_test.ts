import { AdaptiveExposureStrategy, AsyncToolServer, type AuditEvent, defineJob, MemoryBackend } from "../../../mod.ts";
import { readBody } from "../../../src/mcp/http/body.ts";
import { HeldMessages, whileHeld } from "../../../src/mcp/messages/held.ts";
import { assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import { request } from "../support/modern.ts";
import { byName } from "./support/by_name.ts";
import { Raw } from "./support/raw.ts";

/** A call whose many small items take far more memory than bytes. */
const call = (items: number) => ({ name: "waits", arguments: { list: Array(items).fill(0) } });

/** A server whose calls wait for as long as their clients do: no worker runs their tasks. */
function waitingServer() {
  const events: AuditEvent[] = [];
  let created = Promise.withResolvers<void>();
  const server = new AsyncToolServer({
    name: "waits",
    version: "1.0.0",
    backend: new MemoryBackend(),
    strategy: new AdaptiveExposureStrategy({ answerWithin: 3_600_000 }),
    authenticate: byName,
    audit: (event) => {
      events.push(event);
      if (event.event === "created") created.resolve();
    },
  });
  server.registerAsyncTool(defineJob({ name: "waits", input: { type: "object" } }));
  /** Sends a call of revision 2026-07-28. */
  const send = (caller: string, items: number) => {
    const sent = request(new URL("http://localhost/mcp"), "tools/call", call(items), {});
    sent.headers.set("authorization", `Bearer ${caller}`);
    return server.fetch(sent);
  };
  return {
    fetch: server.fetch,
    events,
    send,
    /** Sends one that is accepted. Resolves with its stream once its task is stored. */
    begin: async (sending: () => Promise<Response>) => {
      created = Promise.withResolvers();
      const response = await sending();
      assertEquals(response.headers.get("content-type"), "text/event-stream");
      await created.promise;
      return response;
    },
    /** Sends a call until it is accepted: when the server has noticed that a client is gone, nobody tells. */
    sendUntilAccepted: async (caller: string, items: number) => {
      while (true) {
        const response = await send(caller, items);
        await response.body?.cancel();
        if (response.status !== 503) return response.status;
      }
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

Deno.test("a caller whose waiting calls take much memory is refused another one, before it is parsed, until they are over", async () => {
  await using server = waitingServer();
  const first = await server.begin(() => server.send("ann", 900_000));
  const refused = await server.send("ann", 900_000);
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  const { error } = await refused.json();
  assertEquals([error.code, error.data], [-32005, { limit: "heldBytes", retryAfterMs: 5_000 }]);
  assertStringIncludes(error.message, "Send a smaller one, or try again in 5 s.");
  const { event, principal, reason = "" } = server.events.at(-1) ?? {};
  assertEquals([event, principal, reason.slice(0, 8)], ["refused", "ann", "HTTP 503"]);
  // Small ones, and other callers, have room.
  for (const [caller, items] of [["ann", 10], ["bob", 600_000]] as const) {
    const { body } = await server.begin(() => server.send(caller, items));
    await body?.cancel();
  }
  await first.body?.cancel();
  assertEquals(await server.sendUntilAccepted("ann", 900_000), 200);
});

Deno.test("a call in a session is held until it is over, not until its client has closed the stream", async () => {
  await using server = waitingServer();
  const raw = await Raw.open(server.fetch, "ann");
  const { body } = await server.begin(() => raw.post("tools/call", call(900_000)));
  const { id } = raw;
  await body?.cancel();
  assertEquals((await server.send("ann", 900_000)).status, 503);
  await raw.cancel(id);
  assertEquals(await server.sendUntilAccepted("ann", 900_000), 200);
});

Deno.test("what has arrived of a body counts, until its client is gone", async () => {
  await using server = waitingServer();
  const arrived = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
  const dense = new TextEncoder().encode("[".padEnd(900_000, ","));
  const chunks = [dense].values();
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const { value } = chunks.next();
      if (value) controller.enqueue(value);
      else arrived.resolve(controller); // The server has read it, and waits for more.
    },
  }, { highWaterMark: 0 });
  const broken = new Raw(server.fetch, "ann").send({ method: "POST", body });
  const rest = await arrived.promise;
  assertEquals((await server.send("ann", 900_000)).status, 503);
  rest.error(new Error("The client is gone."));
  assertEquals((await broken).status, 400);
  assertEquals(await server.sendUntilAccepted("ann", 900_000), 200);
});

Deno.test("what arrives of a body after its time is not counted: its request has been refused by then", async () => {
  const arriving = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
  const request = new Request("http://localhost/mcp", {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": "8190" },
    body: new ReadableStream<Uint8Array>({ start: arriving.resolve }),
  });
  const whole = Promise.withResolvers<ArrayBuffer>();
  const reading = request.arrayBuffer.bind(request);
  request.arrayBuffer = () => {
    whole.resolve(reading());
    return whole.promise;
  };
  const held = new HeldMessages(2_000_000);
  const message = held.begin("ann", request);
  const body = await readBody(request, { maxBytes: 10_000, timeout: 1 }, message);
  assertEquals("status" in body && body.status, 408);
  message.release();
  const rest = await arriving.promise;
  rest.enqueue(new TextEncoder().encode("[".padEnd(8_190, ",")));
  rest.close();
  assertEquals((await whole.promise).byteLength, 8_190);
  assertEquals(held.begin("ann", request).grow(1_000_000), undefined);
});

Deno.test("each request counts as at least 8 KiB while it is worked on, since a call that waits takes more than its message", async () => {
  const post = () => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tasks/result", params: { taskId: "1" } });
    const headers = { "content-type": "application/json", "content-length": `${body.length}` };
    return new Request("http://localhost/mcp", { method: "POST", headers, body });
  };
  // A session goes on with a call that was lost with another server when its client resumes the stream.
  const get = () => new Request("http://localhost/mcp", { headers: { "last-event-id": "1" } });
  for (const request of [post, get]) {
    const held = new HeldMessages(4 * 8_192);
    const ends = Promise.withResolvers<void>();
    const begin = async () => {
      const one = request();
      const message = held.begin("ann", one);
      const body = await readBody(one, { maxBytes: 10_000, timeout: 1_000 }, message);
      const isAccepted = !("noRoom" in body);
      const working = isAccepted ? whileHeld(one, () => ends.promise) : undefined;
      message.release();
      return { isAccepted, working };
    };
    const [first, second, third] = [await begin(), await begin(), await begin()];
    assertEquals([first, second, third].map(({ isAccepted }) => isAccepted), [true, true, false]);
    ends.resolve();
    await Promise.all([first.working, second.working]);
    assertEquals((await begin()).isAccepted, true);
  }
});
