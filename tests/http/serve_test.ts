/**
 * A handler of the Fetch standard behind `node:http`.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { JobsError } from "../../src/errors.ts";
import { type Handler, HttpServer } from "../../src/http/serve.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../../tools/std.ts";
import { Reported, unexpected } from "../support/errors.ts";
import { Connection } from "./support/connection.ts";

async function serve(handler: Handler, onError = unexpected) {
  const server = await HttpServer.listen({ port: 0, hostname: "127.0.0.1", onError }, handler);
  const { port } = server;
  return { server, port, url: `http://127.0.0.1:${port}/x`, [Symbol.asyncDispose]: () => server.close() };
}

/** Sends a request on a connection of its own, and reads until that ends. */
async function exchange(port: number, text: string): Promise<string> {
  using client = await Connection.open(port);
  await client.send(text);
  return await client.read();
}

Deno.test("bodies arrive whole: empty, small and of 16 MiB, with a length and without, at once and in pieces", async () => {
  await using served = await serve(async (request) => new Response(await request.bytes()));
  for (const size of [0, 1, 20_000, 65_537, 16 * 1024 * 1024]) {
    const bytes = new Uint8Array(size).map((_, at) => at * 7);
    const step = Math.max(1, Math.ceil(size / 5));
    const pieces = Array.from({ length: 5 }, (_, i) => bytes.subarray(i * step, (i + 1) * step));
    for (const body of [bytes, ReadableStream.from(pieces)]) {
      const received = await (await fetch(served.url, { method: "POST", body })).bytes();
      assertEquals([received.length, received.every((byte, at) => byte === bytes[at])], [size, true]);
    }
  }
  const chunks = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  const head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
  assertMatch(await exchange(served.port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}`), /\r\n\r\nabcde$/);
  const expecting = await exchange(served.port, `${head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok`);
  assertMatch(expecting, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 [^]*\r\n\r\nok$/);
});

Deno.test("a response is received though the body was not read, or only its start, and the connection serves on", async () => {
  await using served = await serve(async (request) => {
    if (request.method === "GET") return new Response("next");
    if (request.headers.has("x-start")) {
      const reader = request.body?.getReader();
      await reader?.read();
      await reader?.cancel();
    }
    return new Response("too large", { status: 413 });
  });
  for (const start of ["", "X-Start: 1\r\n"]) {
    const length = 5_000_000;
    using client = await Connection.open(served.port);
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\n${start}Content-Length: ${length}\r\n\r\n{`);
    assertMatch(await client.read((text) => text.endsWith("too large")), /^HTTP\/1\.1 413 /);
    await client.send(" ".repeat(length - 1));
    await client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assertMatch(await client.read(), /^HTTP\/1\.1 200 [^]*next$/);
  }
});

Deno.test("events are sent as they come, no faster than their client reads, and end with the client", async () => {
  const gone = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  let made = 0;
  let send: ReadableStreamDefaultController<Uint8Array> | undefined;
  const headers = { "content-type": "text/event-stream" };
  await using served = await serve((request) => {
    request.signal.addEventListener("abort", () => aborted.resolve());
    const cancel = () => gone.resolve();
    const body = new URL(request.url).pathname === "/flood"
      ? new ReadableStream({
        pull: (controller) => {
          made++;
          controller.enqueue(new Uint8Array(100_000));
        },
        cancel,
      })
      : new ReadableStream({ start: (controller) => void (send = controller), cancel });
    return new Response(body, { headers });
  });
  const response = await fetch(served.url);
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
    send?.enqueue(new TextEncoder().encode(event));
    assertEquals((await reader?.read())?.value, event);
  }
  send?.close();
  assertEquals((await reader?.read())?.done, true);
  const flood = await Connection.open(served.port);
  await flood.send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
  // Until no more fits into what lies between: then as much is made as is read.
  for (let before = -1; before < made;) {
    before = made;
    for (let i = 0; i < 20; i++) await (await fetch(served.url)).body?.cancel();
  }
  assert(made < 1_000, `${made} events of 100 KB were made, and none was read.`);
  flood[Symbol.dispose]();
  await gone.promise;
  await aborted.promise;
});

Deno.test("a stream whose client has not kept up goes on when that reads again, and arrives whole", async () => {
  const CHUNKS = 500;
  let made = 0;
  await using served = await serve(({ url }) => {
    if (!url.endsWith("/flood")) return new Response("done");
    const body = new ReadableStream({
      pull: (controller) => {
        if (made++ < CHUNKS) controller.enqueue(new Uint8Array(100_000));
        else controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const response = await fetch(new URL("/flood", served.url));
  for (let before = -1; before < made;) {
    before = made;
    for (let i = 0; i < 20; i++) await (await fetch(served.url)).body?.cancel();
  }
  assert(made < CHUNKS, "It has waited for its client.");
  assertEquals((await response.bytes()).length, CHUNKS * 100_000);
});

Deno.test("a stream that breaks is cut off, so that its client does not take it for complete, and others are served", async () => {
  await using served = await serve(({ url }) => {
    if (!url.endsWith("/breaks")) return new Response("done");
    const events = ["data: 1\n\n"].values();
    const body = new ReadableStream({
      pull: (controller) => {
        const { value, done } = events.next();
        if (done) controller.error(new Error("The store is away."));
        else controller.enqueue(new TextEncoder().encode(value));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const response = await fetch(new URL("/breaks", served.url));
  assertEquals(response.status, 200);
  await assertRejects(() => response.text(), Error);
  assertEquals(await (await fetch(served.url)).text(), "done");
});

Deno.test("the signal of a request aborts if its client goes before the response, and not once it has that", async () => {
  const signals: AbortSignal[] = [];
  const came = Promise.withResolvers<void>();
  await using served = await serve(async ({ url, signal }) => {
    signals.push(signal);
    if (!url.endsWith("/wait")) return new Response("done");
    came.resolve();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return new Response("for nobody");
  });
  const client = await Connection.open(served.port);
  await client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  assertMatch(await client.read((text) => text.endsWith("done")), /^HTTP\/1\.1 200 /);
  await came.promise;
  client[Symbol.dispose]();
  const [first, waiting] = signals;
  if (waiting && !waiting.aborted) await new Promise((resolve) => waiting.addEventListener("abort", resolve));
  assertEquals([first?.aborted, waiting?.aborted], [false, true]);
});

Deno.test("a stream that its handler returns after the client has gone is cancelled", async () => {
  const [came, cancelled] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using served = await serve(async ({ signal }) => {
    const gone = new Promise((resolve) => signal.addEventListener("abort", resolve));
    came.resolve();
    await gone;
    const stream = new ReadableStream({ cancel: () => cancelled.resolve() });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  });
  const client = await Connection.open(served.port);
  await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await came.promise;
  client[Symbol.dispose]();
  await cancelled.promise;
});

Deno.test("a request that waits behind another one of its connection is worked on once that is answered, and never if its client goes", async () => {
  const seen: string[] = [];
  const first = Promise.withResolvers<Response>();
  const gone = Promise.withResolvers<void>();
  const came = Promise.withResolvers<void>();
  await using served = await serve(async ({ url, signal }) => {
    seen.push(new URL(url).pathname);
    if (url.endsWith("/first")) return await first.promise;
    signal.addEventListener("abort", () => gone.resolve());
    came.resolve();
    await gone.promise;
    return new Response("for nobody");
  });
  const client = await Connection.open(served.port);
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  await client.send(get("/first") + get("/second") + get("/third"));
  await exchange(served.port, "no HTTP\r\n\r\n"); // By now all three have arrived.
  assertEquals(seen, ["/first"]);
  first.resolve(new Response("answered"));
  await came.promise;
  client[Symbol.dispose]();
  await gone.promise;
  assertEquals(seen, ["/first", "/second"]);
});

Deno.test("a client that goes in the middle of a body leaves no timer behind", async () => {
  const half = "POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{";
  const behind = `GET / HTTP/1.1\r\nHost: a\r\n\r\n${half}`;
  for (const [sent, isAnswered] of [[half, true], [half, false], [behind, false]] as const) {
    const came = Promise.withResolvers<void>();
    const { server, port } = await serve(async ({ url, signal }) => {
      if (!url.endsWith("/half")) return new Response("behind this");
      came.resolve();
      if (!isAnswered) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return new Response("no", { status: 413 });
    });
    const client = await Connection.open(port);
    await client.send(sent);
    await came.promise;
    if (isAnswered) await client.read((text) => text.endsWith("no"));
    client[Symbol.dispose]();
    await server.close(60_000);
  }
});

Deno.test("a pipeline of 100 requests is answered in order; a connection with more that are not answered is closed", async () => {
  const held = Promise.withResolvers<void>();
  const seen: string[] = [];
  await using served = await serve(async ({ url }) => {
    seen.push(url);
    if (url.endsWith("/held")) await held.promise;
    return new Response(`${url};`);
  });
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const paths = Array.from({ length: 99 }, (_, number) => `/${number}`);
  using patient = await Connection.open(served.port);
  await patient.send(paths.map(get).join("") + get("/last"));
  const all = await patient.read((text) => text.endsWith("/last;"));
  assertEquals([...all.matchAll(/http:\/\/a(\/\w+);/g)].map(([, path]) => path), [...paths, "/last"]);
  seen.length = 0;
  assertEquals(await exchange(served.port, get("/held") + get("/more").repeat(1_000)), "");
  assertEquals(seen.length <= 100, true);
  await patient.send(get("/after"));
  await patient.read((text) => text.endsWith("/after;"));
  held.resolve();
});

Deno.test("a handler sees URL, method, headers and address as they were sent, even if no URL can be made of them", async () => {
  const seen: unknown[] = [];
  await using served = await serve(({ url, method, headers }, { remoteAddr }) => {
    seen.push([method, url, headers.get("x"), remoteAddr.hostname]);
    return new Response();
  });
  const send = (line: string, host: string) =>
    exchange(served.port, `${line} HTTP/1.1\r\nHost: ${host}\r\nX: 1\r\nx: 2\r\nConnection: close\r\n\r\n`);
  await send("GET /a?b=%20", "localhost");
  await send("GET /?of=http://other/b", "localhost");
  await send("GET http://other/c", "localhost");
  await send("POST /d", "not a host");
  await send("TRACE /e", "localhost");
  assertEquals(seen, [
    ["GET", "http://localhost/a?b=%20", "1, 2", "127.0.0.1"],
    ["GET", "http://localhost/?of=http://other/b", "1, 2", "127.0.0.1"],
    ["GET", "http://other/c", "1, 2", "127.0.0.1"],
    ["POST", "http://not a host/d", "1, 2", "127.0.0.1"],
    ["TRACE", "http://localhost/e", "1, 2", "127.0.0.1"],
  ]);
});

Deno.test("a request knows nothing of the async context of earlier ones, even if they have loaded a module", async () => {
  const context = new AsyncLocalStorage<string>();
  const found: (string | undefined)[] = [];
  await using served = await serve(({ url }) => {
    found.push(context.getStore());
    return context.run(url, async () => {
      await import("data:text/javascript,");
      return new Response();
    });
  });
  for (let i = 0; i < 3; i++) await exchange(served.port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  assertEquals(found, [undefined, undefined, undefined]);
});

Deno.test("the head of a request has room for a token of many claims", async () => {
  await using served = await serve(({ headers }) => new Response(String(headers.get("authorization")?.length)));
  const authorization = `Bearer ${"x".repeat(50_000)}`;
  assertEquals(await (await fetch(served.url, { headers: { authorization } })).text(), String(authorization.length));
});

Deno.test("a response keeps its status and headers; HEAD, 204 and 304 have no body", async () => {
  await using served = await serve(({ method, url }) => {
    const status = Number(new URL(url).searchParams.get("status"));
    const headers: [string, string][] = [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["connection", "keep-alive"]];
    headers.push(["content-length", "1"]); // Of another body: the server counts.
    return new Response(status === 200 ? `for ${method}` : null, { status, headers });
  });
  for (
    const [method, status, end] of [["GET", 200, "for GET"], ["HEAD", 200, ""], ["GET", 204, ""], ["GET", 304, ""]]
  ) {
    const text = await exchange(
      served.port,
      `${method} /?status=${status} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    const [head = "", body] = text.split("\r\n\r\n");
    assertMatch(head, new RegExp(`^HTTP/1.1 ${status} `));
    assertEquals([...head.matchAll(/set-cookie: (.*)/g)].map(([, cookie]) => cookie), ["a=1", "b=2"]);
    const lengths = [...head.matchAll(/^content-length: (\d+)/gmi)].map(([, length]) => length);
    const expected = status === 200 ? [`${`for ${method}`.length}`] : [];
    assertEquals([/^connection: close/mi.test(head), lengths], [true, expected]);
    assertEquals(body, end);
  }
});

Deno.test("what is not HTTP, and a client that vanishes, end no other connection; a handler that fails is 500 and reported", async () => {
  const reported = new Reported();
  await using served = await serve(({ url }) => {
    if (url.endsWith("/fails")) throw new Error("The handler fails.");
    return new Response("ok");
  }, reported.onError);
  for (const bad of ["\x16\x03\x01 hello\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"]) {
    assertMatch(await exchange(served.port, bad), /^HTTP\/1\.1 400 /);
  }
  const long = `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(70_000)}\r\n\r\n`;
  assertMatch(await exchange(served.port, long), /^HTTP\/1\.1 431 /);
  for (let i = 0; i < 10; i++) (await Connection.open(served.port))[Symbol.dispose]();
  const failed = await fetch(`http://127.0.0.1:${served.port}/fails`);
  assertEquals([failed.status, await failed.text()], [500, "Internal Server Error\n"]);
  assertEquals(reported.all.map(({ where, error }) => [where, `${error}`]), [
    ["answer an HTTP request", "Error: The handler fails."],
  ]);
  assertEquals(await (await fetch(served.url)).text(), "ok");
});

Deno.test("a server that closes sends what is open, ends every connection, and frees its port", async () => {
  const came = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const { server, url, port } = await serve(async (request) => {
    if (!request.url.endsWith("/wait")) return new Response();
    came.resolve();
    await gate.promise;
    return new Response("sent");
  });
  await (await fetch(url)).body?.cancel(); // Its connection stays open.
  using half = await Connection.open(port);
  await half.send("GET / HTTP/1.1\r\n");
  const waiting = fetch(`http://127.0.0.1:${port}/wait`);
  await came.promise;
  const closed = server.close(60_000);
  await assertRejects(() => Connection.open(port), Deno.errors.ConnectionRefused);
  gate.resolve();
  assertEquals(await (await waiting).text(), "sent");
  await closed;
  await server.finished;
  assertEquals(await half.read(), "");
  await (await HttpServer.listen({ port, hostname: "127.0.0.1", onError: unexpected }, () => new Response())).close();
});

Deno.test("a server that stops listening ends idle connections at once, and each other one after its response", async () => {
  const gate = Promise.withResolvers<void>();
  await using served = await serve(({ url }) => {
    if (url.endsWith("/idle")) return new Response("done");
    const events = async function* () {
      yield new TextEncoder().encode("first ");
      await gate.promise;
      yield new TextEncoder().encode("last");
    };
    return new Response(ReadableStream.from(events()), { headers: { "content-type": "text/event-stream" } });
  });
  using idle = await Connection.open(served.port);
  await idle.send("GET /idle HTTP/1.1\r\nHost: a\r\n\r\n");
  await idle.read((text) => text.endsWith("done"));
  using busy = await Connection.open(served.port);
  await busy.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  await busy.read((text) => text.includes("first"));
  served.server.stopListening();
  assertEquals(await idle.read(), "");
  await assertRejects(() => Connection.open(served.port), Deno.errors.ConnectionRefused);
  gate.resolve();
  assertMatch(await busy.read(), /last[^]*0\r\n\r\n$/); // Until the server ends the connection.
});

Deno.test("a response that does not end is cut off when the server closes, and its handler learns of that", async () => {
  const came = Promise.withResolvers<AbortSignal>();
  const { server, url } = await serve(({ signal }) => {
    came.resolve(signal);
    return new Promise(() => {});
  });
  const waiting = assertRejects(() => fetch(url), TypeError);
  const signal = await came.promise;
  await server.close(10);
  await waiting;
  assertEquals(signal.aborted, true);
});

Deno.test("a port that is taken is an error, and IPv6 addresses may have brackets", async () => {
  const onError = unexpected;
  const options = { port: 0, hostname: "[::1]", onError };
  const server = await HttpServer.listen(options, (_, { remoteAddr }) => new Response(remoteAddr.hostname));
  assertEquals(await (await fetch(`http://[::1]:${server.port}/`)).text(), "::1");
  const again = () => HttpServer.listen({ ...options, port: server.port }, () => new Response());
  const taken = `Cannot listen on [::1]:${server.port}: the port is taken. Pass another`;
  assert((await assertRejects(again, JobsError, taken)).cause instanceof Deno.errors.AddrInUse);
  await server.close();
});

Deno.test({
  name: "a port that Deno does not permit is an error that the caller can catch",
  permissions: { net: false },
  async fn() {
    const listen = () =>
      HttpServer.listen({ port: 0, hostname: "127.0.0.1", onError: unexpected }, () => new Response());
    await assertRejects(listen, JobsError, "Requires net access");
  },
});
