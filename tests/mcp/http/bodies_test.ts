import { fileURLToPath } from "node:url";
import { HttpServer } from "../../../src/http/serve.ts";
import { HttpEndpoint } from "../../../src/mcp/http/endpoint.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import { MemoryBackend } from "../../../mod.ts";
import { fixtureServer } from "../../interop/support/fixture.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import { unexpected } from "../../support/errors.ts";
import { Raw } from "./support/raw.ts";

/** The fixture server as a process, over HTTP. */
class ServerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stderr: ReadableStreamDefaultReader<string>;
  port = 0;

  constructor() {
    const server = fileURLToPath(new URL("../../interop/support/server.ts", import.meta.url));
    const args = ["run", "--quiet", "--allow-all", server, "operation", "http"];
    this.#child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "null", stderr: "piped" }).spawn();
    this.#stderr = this.#child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async start(): Promise<ServerProcess> {
    const server = new ServerProcess();
    for (let said = ""; server.port === 0;) {
      const { value } = await server.#stderr.read();
      if (value === undefined) throw new Error(`The server ended: ${said}`);
      said += value;
      server.port = Number(/http:\/\/127\.0\.0\.1:(\d+)\/mcp\n/.exec(said)?.[1] ?? 0);
    }
    return server;
  }

  /** The memory that it uses, in MiB. */
  async memory(): Promise<number> {
    const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", `${this.#child.pid}`] }).output();
    return Number(new TextDecoder().decode(stdout)) / 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#stderr.cancel();
    await this.#child.status;
  }
}

/** Starts a request that announces more than it sends. */
async function announce(port: number, length: number, sent: string): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ port, hostname: "127.0.0.1" });
  const head = `POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}`;
  await conn.write(new TextEncoder().encode(`${head}\r\n\r\n${sent}`));
  return conn;
}

async function ping(port: number): Promise<number> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const response = await fetch(`http://127.0.0.1:${port}/mcp`, { method: "POST", headers, body });
  await response.body?.cancel();
  return response.status;
}

Deno.test("the announced length of a body takes no memory before the body is sent", async () => {
  await using server = await ServerProcess.start();
  await ping(server.port);
  const before = await server.memory();
  const conns = await Promise.all(
    Array.from({ length: 100 }, () => announce(server.port, 16_000_000, '{"jsonrpc":"2.0"')),
  );
  for (let i = 0; i < 20; i++) await ping(server.port);
  const grown = await server.memory() - before;
  for (const conn of conns) conn.close();
  assert(grown < 200, `The server grew by ${grown} MiB.`);
});

/** The start of a response, up to the end of its JSON. */
async function answerOf(conn: Deno.TcpConn): Promise<string> {
  let text = "";
  const buffer = new Uint8Array(4_096);
  while (!text.endsWith("}")) {
    const length = await conn.read(buffer);
    if (length === null) throw new Error(`The connection ended behind ${JSON.stringify(text)}.`);
    text += new TextDecoder().decode(buffer.subarray(0, length));
  }
  return text;
}

/** An endpoint on a port of its own, and its audit log. */
class Served implements AsyncDisposable {
  readonly reasons: (string | undefined)[] = [];
  readonly #tasks = new Tasks(new MemoryBackend());
  readonly #endpoint: HttpEndpoint;
  #server: HttpServer | undefined;

  constructor(bodyTimeout: number) {
    const surface = { tools: [], templates: [] };
    const served = { name: "bodies", version: "1.0.0", surface, tasks: this.#tasks, extensions: [] };
    this.#endpoint = new HttpEndpoint({ ...served, maxMessageBytes: 10_000 }, {
      streams: new MemoryBackend().streams,
      bodyTimeout,
      checkHealth: () => Promise.resolve(),
      audit: ({ reason }) => this.reasons.push(reason),
    });
  }

  static async start(bodyTimeout: number): Promise<Served> {
    const served = new Served(bodyTimeout);
    const options = { port: 0, hostname: "127.0.0.1", onError: unexpected };
    served.#server = await HttpServer.listen(options, (request) => served.#endpoint.fetch(request));
    return served;
  }

  get port(): number {
    return this.#server?.port ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#endpoint[Symbol.asyncDispose]();
    this.#tasks[Symbol.dispose]();
    await this.#server?.close();
  }
}

Deno.test("a body that stalls or trickles is ended with 408", async () => {
  await using served = await Served.start(100);
  using stalled = await announce(served.port, 100, '{"jsonrpc"');
  using trickling = await announce(served.port, 1_000, "{");
  const trickle = setInterval(() => trickling.write(new Uint8Array([32])).catch(() => {}), 10);
  const late = "Invalid request: the body did not arrive within 0.1 s.";
  for (const conn of [stalled, trickling]) {
    const answer = await answerOf(conn);
    assertStringIncludes(answer, "HTTP/1.1 408 ");
    assertStringIncludes(answer, late);
  }
  clearInterval(trickle);
  assertEquals(served.reasons, [`HTTP 408 ${late}`, `HTTP 408 ${late}`]);
});

Deno.test("a body that announces too many bytes is 413 at once, and one that is nested too deeply is 400 before its end", async () => {
  await using served = await Served.start(60_000);
  using long = await announce(served.port, 10_001, "{");
  assertStringIncludes(await answerOf(long), "HTTP/1.1 413 ");
  using deep = await announce(served.port, 10_000, "[".repeat(300));
  assertStringIncludes(await answerOf(deep), "HTTP/1.1 400 ");
});

Deno.test("the limit of a message follows the limit of an input", async () => {
  await using server = fixtureServer("operation", new MemoryBackend(), { limits: { inputBytes: 1_000 } });
  const raw = await Raw.open(server.fetch);
  const call = (length: number) =>
    raw.post("tools/call", { name: "measure", arguments: { text: "x".repeat(length) }, task: {} });
  const large = await call(2_000_000);
  assertEquals([large.status, (await large.json()).error.code], [413, -32600]);
  const input = await raw.ask("tools/call", { name: "measure", arguments: { text: "x".repeat(2_000) }, task: {} });
  assertStringIncludes(input.error.message, "1000 is the most");
});
