import { fileURLToPath } from "node:url";
import { HttpServer } from "../../../src/http/serve.ts";
import { HttpEndpoint } from "../../../src/mcp/http/endpoint.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import { MemoryBackend } from "../../../mod.ts";
import { fixtureServer } from "../../interop/support/fixture.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import { unexpected } from "../../support/errors.ts";
import { Connection } from "../../http/support/connection.ts";
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
async function announce(port: number, length: number, sent: string): Promise<Connection> {
  const client = await Connection.open(port);
  const head = `POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${length}`;
  await client.send(`${head}\r\n\r\n${sent}`);
  return client;
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
  const clients = await Promise.all(
    Array.from({ length: 100 }, () => announce(server.port, 16_000_000, '{"jsonrpc":"2.0"')),
  );
  for (let i = 0; i < 20; i++) await ping(server.port);
  const grown = await server.memory() - before;
  for (const client of clients) client[Symbol.dispose]();
  assert(grown < 200, `The server grew by ${grown} MiB.`);
});

/** The start of a response, up to the end of its JSON. */
async function answerOf(client: Connection): Promise<string> {
  const text = await client.read((text) => text.endsWith("}"));
  if (!text.endsWith("}")) throw new Error(`The connection ended behind ${JSON.stringify(text)}.`);
  return text;
}

/** An endpoint on a port of its own, and the reasons in its audit log. */
async function serve(bodyTimeout: number) {
  const reasons: (string | undefined)[] = [];
  const tasks = new Tasks(new MemoryBackend());
  const surface = { tools: [], templates: [] };
  const served = { name: "bodies", version: "1.0.0", surface, tasks, extensions: [], maxMessageBytes: 10_000 };
  const endpoint = new HttpEndpoint(served, {
    streams: new MemoryBackend().streams,
    documents: new MemoryBackend().documents,
    bodyTimeout,
    checkHealth: () => Promise.resolve(),
    audit: ({ reason }) => reasons.push(reason),
  });
  const options = { port: 0, hostname: "127.0.0.1", onError: unexpected };
  const server = await HttpServer.listen(options, (request) => endpoint.fetch(request));
  return {
    port: server.port,
    reasons,
    async [Symbol.asyncDispose]() {
      await endpoint[Symbol.asyncDispose]();
      tasks[Symbol.dispose]();
      await server.close();
    },
  };
}

Deno.test("a body that stalls or trickles is ended with 408", async () => {
  await using served = await serve(100);
  using stalled = await announce(served.port, 100, '{"jsonrpc"');
  using trickling = await announce(served.port, 1_000, "{");
  const trickle = setInterval(() => trickling.send(" ").catch(() => {}), 10);
  const late = "Invalid request: the body did not arrive within 0.1 s.";
  for (const client of [stalled, trickling]) {
    const answer = await answerOf(client);
    assertStringIncludes(answer, "HTTP/1.1 408 ");
    assertStringIncludes(answer, late);
  }
  clearInterval(trickle);
  assertEquals(served.reasons, [`HTTP 408 ${late}`, `HTTP 408 ${late}`]);
});

Deno.test("a body that announces too many bytes is 413 at once, and one that is nested too deeply is 400 before its end", async () => {
  await using served = await serve(60_000);
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
