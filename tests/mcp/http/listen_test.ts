import { listen } from "../../../src/mcp/http/listen.ts";
import { assertEquals, assertMatch } from "../../../tools/std.ts";

/** What a served port answers. */
const answer = () => Promise.resolve(new Response("served"));

/** A port that is served until this is disposed of. */
async function serve(headersTimeout?: number) {
  const end = new AbortController();
  const url = Promise.withResolvers<string>();
  const options = { port: 0, hostname: "127.0.0.1", onListen: url.resolve, signal: end.signal, headersTimeout };
  const ended = listen(options, answer, () => Promise.resolve());
  const port = Number(new URL(await url.promise).port);
  return {
    connect: async () => new Client(await Deno.connect({ hostname: "127.0.0.1", port })),
    async [Symbol.asyncDispose]() {
      end.abort();
      await ended;
    },
  };
}

/** A client that sends what a test wants. */
class Client implements Disposable {
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(4_096);

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  async send(text: string): Promise<void> {
    await this.#conn.write(new TextEncoder().encode(text));
  }

  /** What has arrived next; empty at the end. */
  async receive(): Promise<string> {
    return new TextDecoder().decode(this.#buffer.subarray(0, await this.#conn.read(this.#buffer) ?? 0));
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

const LINE = "GET /healthz HTTP/1.1\r\n";
const HOST = "Host: localhost\r\n\r\n";

Deno.test("a client whose headers take too long receives 408 and is disconnected, also if it sends nothing", async () => {
  await using served = await serve(100);
  using half = await served.connect();
  using silent = await served.connect();
  await half.send(LINE);
  for (const client of [half, silent]) {
    assertMatch(await client.receive(), /^HTTP\/1.1 408 .*\r\nconnection: close\r\n/i);
    assertEquals(await client.receive(), "");
  }
});

Deno.test("a client that sends its headers slowly, but in time, is served", async () => {
  await using served = await serve();
  using slow = await served.connect();
  await slow.send(LINE);
  using other = await served.connect();
  await other.send(LINE + HOST);
  assertMatch(await other.receive(), /^HTTP\/1.1 200 /);
  await slow.send(HOST);
  assertMatch(await slow.receive(), /^HTTP\/1.1 200 [^]*served$/);
});

Deno.test("the time limit for headers does not end a connection that waits for its next request", async () => {
  await using served = await serve(100);
  using idle = await served.connect();
  await idle.send(LINE + HOST);
  assertMatch(await idle.receive(), /^HTTP\/1.1 200 /);
  using silent = await served.connect();
  assertMatch(await silent.receive(), /^HTTP\/1.1 408 /);
  await idle.send(LINE + HOST);
  assertMatch(await idle.receive(), /^HTTP\/1.1 200 /);
});
