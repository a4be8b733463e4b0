/**
 * How long a request may take to arrive.
 *
 * @module
 */
import { HttpServer, type ServeOptions } from "../../src/http/serve.ts";
import { assert, assertEquals, assertMatch } from "../../tools/std.ts";
import { unexpected } from "../support/errors.ts";
import { pause } from "../../src/waiting.ts";
import { Connection } from "./support/connection.ts";

const SHORT: Limits = { headersTimeout: 250, checkInterval: 10 };
const HEAD = "POST /mcp HTTP/1.1\r\nHost: localhost\r\n";

type Limits = Pick<ServeOptions, "headersTimeout" | "checkInterval">;

async function serve(
  limits = SHORT,
  handler: (request: Request) => Response | Promise<Response> = () => new Response(),
) {
  const server = await HttpServer.listen({ port: 0, hostname: "127.0.0.1", ...limits, onError: unexpected }, handler);
  return { server, port: server.port, [Symbol.asyncDispose]: () => server.close() };
}

/** Sends a request until it is served: on a slow machine, its own head may take longer than a short limit. */
async function request(port: number, init?: RequestInit): Promise<Response> {
  for (let left = 20;; left--) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`, init);
      if (response.status !== 408) return response;
      await response.body?.cancel();
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

for (
  const [what, sent] of [
    ["sends nothing", ""],
    ["sends half a head", HEAD],
    ["sends a request, and then half a head", `GET / HTTP/1.1\r\nHost: localhost\r\n\r\n${HEAD}`],
  ] as const
) {
  Deno.test(`a client that ${what} gets 408 when the time limit is over, and its connection ends`, async () => {
    await using served = await serve();
    using client = await Connection.open(served.port);
    await client.send(sent);
    const answer = await client.read();
    assertEquals(answer.split("HTTP/1.1 ").slice(1).map((one) => one.slice(0, 3)).at(-1), "408");
  });
}

Deno.test("a client that sends its head byte by byte is cut off, too", async () => {
  await using served = await serve();
  using client = await Connection.open(served.port);
  await client.send(HEAD);
  const drip = setInterval(() => client.send("x").catch(() => clearInterval(drip)), 5);
  // What it sends at the end may keep it from reading the 408.
  assertMatch(await client.read(), /^(HTTP\/1\.1 408 |$)/);
  clearInterval(drip);
});

Deno.test("a slow client whose head arrives in time is served", async () => {
  await using served = await serve({}, async (request) => new Response(await request.text()));
  using client = await Connection.open(served.port);
  for (
    const part of [..."POST /mcp HTTP/1.1\r\nHost: a\r\n", "Content-Length: 4\r\nConnection: close\r\n\r\n", "sl", "ow"]
  ) {
    await client.send(part);
    // Answered behind it on another connection, so it has arrived.
    await (await fetch(`http://127.0.0.1:${served.port}/`)).body?.cancel();
  }
  assertMatch(await client.read(), /^HTTP\/1\.1 200 [^]*slow$/);
});

Deno.test("the time limits are for the request alone: a response may take longer", async () => {
  const gate = Promise.withResolvers<void>();
  await using served = await serve(SHORT, async () => {
    await gate.promise;
    return new Response("late");
  });
  const late = request(served.port, { method: "POST", body: "whole" });
  // The second outlasts the limit of a whole request.
  for (let i = 0; i < 3; i++) {
    using slow = await Connection.open(served.port);
    assertMatch(await slow.read(), /^HTTP\/1\.1 408 /);
  }
  gate.resolve();
  assertEquals(await (await late).text(), "late");
});

Deno.test("a body that never ends is cut off after twice that time, whether somebody reads it or has answered", async () => {
  for (const reads of [true, false]) {
    const failed = Promise.withResolvers<boolean>();
    await using served = await serve(SHORT, async (request) => {
      if (reads) failed.resolve(request.text().then(() => false, () => true));
      if (reads) await failed.promise;
      return new Response("no", { status: 413 });
    });
    using client = await Connection.open(served.port);
    await client.send(`${HEAD}Content-Length: 100\r\n\r\n{`);
    if (reads) assertEquals(await failed.promise, true);
    const answer = await client.read();
    if (!reads) assertMatch(answer, /^HTTP\/1\.1 413 /);
  }
});

Deno.test("many clients that never complete their head are all cut off, and others are served meanwhile", async () => {
  await using served = await serve();
  const cutOff = Array.from({ length: 200 }, async () => {
    using client = await Connection.open(served.port);
    await client.send(HEAD).catch(() => {}); // It may be cut off already.
    return await client.read();
  });
  assertEquals(await (await request(served.port)).text(), "");
  assertEquals((await Promise.all(cutOff)).filter((answer) => !/^(HTTP\/1\.1 408 |$)/.test(answer)), []);
});

Deno.test("a connection whose client reads nothing is closed when the time limit is over, be it sent a response or a stream", async () => {
  const bytes = new Uint8Array(20_000_000); // More than the system takes for a client that does not read.
  const came = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  await using served = await serve(SHORT, ({ url, signal }) => {
    if (url.endsWith("/response")) {
      came.resolve();
      return new Response(bytes);
    }
    signal.addEventListener("abort", () => closed.resolve());
    return new Response(bytes, { headers: { "content-type": "text/event-stream" } });
  });
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  using first = await Connection.open(served.port);
  await first.send(get("/response"));
  await came.promise;
  using second = await Connection.open(served.port);
  await second.send(get("/stream"));
  await closed.promise; // The one before it is over by now.
  for (const client of [first, second]) assert((await client.read()).length < bytes.length);
});

Deno.test("a client that reads slowly, but reads, gets all of a long response", async () => {
  const bytes = new Uint8Array(20_000_000);
  await using served = await serve({ headersTimeout: 500, checkInterval: 50 }, () => new Response(bytes));
  using client = await Deno.connect({ port: served.port });
  await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
  let got = 0;
  for await (const piece of client.readable) {
    got += piece.length;
    await pause(5); // It has to take longer than the time limit.
  }
  assert(got > bytes.length, `The client has ${got} bytes.`);
});
