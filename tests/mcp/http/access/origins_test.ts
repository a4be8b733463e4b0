/**
 * Pages of other origins: if the server allows them, they can do everything that MCP needs; otherwise nothing changes.
 *
 * @module
 */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  AsyncToolServer,
  type Authenticate,
  createWorker,
  defineJob,
  DefinitionError,
  MemoryBackend,
  OperationResourceStrategy,
  type ServerOptions,
} from "../../../../mod.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../../../tools/std.ts";
import { pageOf } from "../support/browser.ts";

const PAGE = "https://app.example.com";
const LOCAL_PAGE = "http://localhost:6274";
const ENDPOINT = new URL("http://localhost:8000/mcp");

const steps = defineJob({
  name: "steps",
  input: { type: "object" },
  run: async (_, ctx) => {
    await ctx.progress(0.5, "half");
    return { done: true };
  },
});

const byName: Authenticate = (request) => {
  const [, principal] = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
  if (principal) return { principal };
  return new Response(null, { status: 401, headers: { "www-authenticate": 'Bearer resource_metadata="x"' } });
};

class House implements AsyncDisposable {
  readonly server: AsyncToolServer;
  readonly #worker;

  constructor(options: Partial<ServerOptions> = {}) {
    const backend = new MemoryBackend();
    this.server = new AsyncToolServer({
      name: "house",
      version: "1.0.0",
      backend,
      strategy: new OperationResourceStrategy({ notifications: true }),
      allowedOrigins: [PAGE],
      ...options,
    });
    this.server.registerAsyncTool(steps);
    this.#worker = createWorker(backend, [steps]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close(0);
    await this.server.close();
  }
}

const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "page", version: "1" } },
};
const JSON_HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };

Deno.test("the official client of 2025-11-25 in a page of an allowed origin runs a job as a task, listens, and ends its session", async () => {
  await using house = new House({ authenticate: byName });
  const preflights: Request[] = [];
  const transport = new StreamableHTTPClientTransport(ENDPOINT, {
    fetch: pageOf(PAGE, house.server.fetch, preflights),
    requestInit: { headers: { authorization: "Bearer ann" } },
  });
  const client = new Client({ name: "page", version: "1" });
  await client.connect(transport);
  assert(transport.sessionId !== undefined);
  const stream = client.experimental.tasks.callToolStream({ name: "steps", arguments: {} }, undefined, { task: {} });
  const last = (await Array.fromAsync(stream)).at(-1);
  assert(last?.type === "result", JSON.stringify(last));
  assertEquals(last.result.structuredContent, { done: true });
  await transport.terminateSession();
  await client.close();
  const asked = new Set(preflights.map(({ headers }) => headers.get("access-control-request-method")));
  assertEquals(asked, new Set(["POST", "GET", "DELETE"]));
});

Deno.test("the official client of 2026-07-28 in a page of an allowed origin calls a job and gets its progress", async () => {
  await using house = new House({ authenticate: byName });
  const preflights: Request[] = [];
  const transport = new ModernTransport(ENDPOINT, {
    fetch: pageOf(PAGE, house.server.fetch, preflights),
    requestInit: { headers: { authorization: "Bearer ann" } },
  });
  const client = new ModernClient({ name: "page", version: "1" }, {
    versionNegotiation: { mode: { pin: "2026-07-28" } },
  });
  await client.connect(transport);
  const received: unknown[] = [];
  const onprogress = ({ message }: { message?: string }) => received.push(message);
  const { structuredContent } = await client.callTool({ name: "steps", arguments: {} }, { onprogress });
  assertEquals([structuredContent, received], [{ done: true }, ["half"]]);
  await client.close();
  const asked = preflights.flatMap(({ headers }) => headers.get("access-control-request-headers")?.split(",") ?? []);
  for (const name of ["mcp-method", "mcp-name", "mcp-protocol-version", "authorization"]) assert(asked.includes(name));
});

Deno.test("a page may send every header of both revisions, and trace contexts, and no other", async () => {
  await using house = new House();
  const page = pageOf(PAGE, house.server.fetch);
  const send = (name: string) => page(ENDPOINT, { headers: { [name]: "1" } });
  const headers = [
    "Accept",
    "Authorization",
    "Content-Type",
    "Last-Event-ID",
    "MCP-Protocol-Version",
    "Mcp-Session-Id",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Param-Region",
    "traceparent",
    "tracestate",
    "baggage",
  ];
  for (const name of headers) await (await send(name)).body?.cancel();
  for (const name of ["X-Api-Key", "Cookie2"]) await assertRejects(() => send(name), TypeError, "headers");
});

Deno.test("a page can read why it is refused, and when to try again", async () => {
  await using house = new House({
    authenticate: byName,
    limits: { sessions: 1, inputBytes: 1_000 },
  });
  const page = pageOf(PAGE, house.server.fetch);
  const post = (body: unknown, headers = {}) =>
    page(ENDPOINT, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { ...JSON_HEADERS, authorization: "Bearer ann", ...headers },
    });
  const unknown = await page(ENDPOINT, { method: "POST", body: "{}", headers: JSON_HEADERS });
  assertEquals([unknown.status, unknown.headers.get("www-authenticate")], [401, 'Bearer resource_metadata="x"']);
  const nowhere = await post(INITIALIZE, { "mcp-session-id": crypto.randomUUID() });
  assertEquals([nowhere.status, (await nowhere.json()).error.code], [404, -32001]);
  const large = await post("x".repeat(2_000_000));
  assertEquals([large.status, (await large.json()).error.code], [413, -32600]);
  const first = await post(INITIALIZE); // Its stream is not read, so its session is in use.
  const second = await post(INITIALIZE);
  assertEquals([second.status, second.headers.get("retry-after")], [429, "60"]);
  await Promise.all([first.body?.cancel(), second.body?.cancel()]);
  const none = await page(new URL("/.well-known/oauth-protected-resource", ENDPOINT), {
    headers: { authorization: "Bearer ann", "mcp-protocol-version": "2025-11-25" },
  });
  assertEquals([none.status, (await none.json()).error], [404, "not_found"]);
  await house.server.close();
  const closed = await post(INITIALIZE);
  assertEquals([closed.status, closed.headers.get("retry-after")], [503, "5"]);
  await closed.body?.cancel();
});

Deno.test("a page of another origin is refused as before, and a local page cannot read more than before", async () => {
  await using house = new House();
  const pages = ["https://evil.example.com", "http://app.example.com", "https://app.example.com:8443", "null"];
  for (const origin of pages) {
    const answers: number[] = [];
    const send = async (request: Request) => {
      const response = await house.server.fetch(request);
      answers.push(response.status);
      return response;
    };
    const page = pageOf(origin, send);
    await assertRejects(() => page(ENDPOINT, { method: "POST", body: "{}", headers: JSON_HEADERS }), TypeError);
    await assertRejects(() => page(ENDPOINT, { method: "POST", body: "{}" }), TypeError, "is not allowed");
    assertEquals(answers, [403, 403], origin);
  }
  const local = pageOf(LOCAL_PAGE, house.server.fetch);
  await assertRejects(() => local(ENDPOINT, { method: "POST", body: "{}", headers: JSON_HEADERS }), TypeError);
});

Deno.test("a local page needs its origin allowed: then the Inspector can call directly", async () => {
  await using house = new House({ allowedOrigins: [LOCAL_PAGE] });
  const page = pageOf(LOCAL_PAGE, house.server.fetch);
  const response = await page(ENDPOINT, { method: "POST", body: JSON.stringify(INITIALIZE), headers: JSON_HEADERS });
  assertEquals([response.status, typeof response.headers.get("mcp-session-id")], [200, "string"]);
  await response.body?.cancel();
});

Deno.test("an allowed origin does not allow another host: a request to one is refused", async () => {
  await using house = new House();
  const headers = { origin: PAGE, host: "evil.example.com", "access-control-request-method": "POST" };
  const request = new Request("http://evil.example.com/mcp", { method: "OPTIONS", headers });
  assertEquals((await house.server.fetch(request)).status, 403);
});

Deno.test("responses depend on the origin and tell caches so; without allowed origins nothing is added", async () => {
  await using house = new House();
  await using closed = new House({ allowedOrigins: undefined });
  for (const origin of [PAGE, LOCAL_PAGE, undefined]) {
    const request = () => new Request(ENDPOINT, { method: "PUT", headers: origin ? { origin } : {} });
    const response = await house.server.fetch(request());
    assertEquals(response.headers.get("vary"), "Origin");
    assertEquals(response.headers.get("access-control-allow-origin"), origin === PAGE ? PAGE : null);
    await response.body?.cancel();
    if (origin === PAGE) continue;
    const plain = await closed.server.fetch(request());
    assertEquals([plain.headers.get("vary"), plain.headers.get("access-control-allow-origin")], [null, null]);
    await plain.body?.cancel();
  }
});

Deno.test("an origin that no browser sends is refused at once, and so are all origins together", async () => {
  const good = [PAGE, "http://localhost:6274", "http://[::1]:5173", "chrome-extension://abcdefghijklmnop"];
  await using _house = new House({ allowedOrigins: good });
  const bad = [
    "*",
    "null",
    "app.example.com",
    `${PAGE}/`,
    `${PAGE}/path`,
    "https://APP.example.com",
    `${PAGE}:443`,
    "",
  ];
  for (const origin of bad) {
    assertThrows(
      () => new House({ allowedOrigins: [PAGE, origin] }),
      DefinitionError,
      `Cannot allow the origin ${JSON.stringify(origin)}`,
    );
  }
});
