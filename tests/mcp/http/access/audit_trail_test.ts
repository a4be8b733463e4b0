import {
  AsyncToolServer,
  type AuditEvent,
  type Authenticate,
  type FetchInfo,
  MemoryBackend,
  PollingExposureStrategy,
} from "../../../../mod.ts";
import { fixtureServer, type StrategyName } from "../../../interop/support/fixture.ts";
import { ask, Events as ModernEvents, request } from "../../support/modern.ts";
import type { Fields } from "../../support/wire_message.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { Raw } from "../support/raw.ts";

/** The token is the principal's name; all use one client. */
const byName: Authenticate = (request) => {
  const [, principal] = /^Bearer (.+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
  return principal === undefined ? new Response(null, { status: 401 }) : { principal, client: "vscode" };
};

const FROM = { address: "192.0.2.7" };
const INFO: FetchInfo = { remoteAddr: { transport: "tcp", hostname: FROM.address } };
const URL_ = new URL("http://localhost/mcp");

/** A server whose callers come from one address, and its audit log. */
class House implements AsyncDisposable {
  readonly events: AuditEvent[] = [];
  readonly #server;

  constructor(strategy: StrategyName = "operation") {
    this.#server = fixtureServer(strategy, new MemoryBackend(), {
      authenticate: byName,
      audit: (event) => this.events.push(event),
    });
  }

  readonly fetch = (request: Request) => this.#server.fetch(request, INFO);

  /** Sends one request of 2026-07-28, and returns the HTTP status. */
  async ask(principal: string, method: string, params: Fields, capabilities?: Fields): Promise<number> {
    const sent = request(URL_, method, params, capabilities);
    sent.headers.set("authorization", `Bearer ${principal}`);
    const response = await this.fetch(sent);
    if (response.headers.get("content-type") === "text/event-stream") {
      await using events = new ModernEvents(response);
      await events.next();
    } else await response.body?.cancel();
    return response.status;
  }

  /** The events since the last call, without their times. */
  takeEvents(): readonly Omit<AuditEvent, "at">[] {
    return this.events.splice(0).map(({ at: _, ...event }) => event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}

const refused = { event: "refused", ...FROM } as const;
const byAnn = { ...refused, principal: "ann", client: "vscode" } as const;

Deno.test("the audit log has principal, client, address and session of every event", async () => {
  await using house = new House();
  const raw = await Raw.open(house.fetch, "ann");
  const session = raw.session.slice(0, 8);
  const who = { principal: "ann", client: "vscode", ...FROM };
  assertEquals(house.takeEvents(), [{ ...who, event: "session_begun", operation: "session", session }]);
  const task = await raw.start("contract");
  await raw.ask("tasks/cancel", { taskId: task });
  await (await raw.send({ method: "DELETE" })).body?.cancel();
  const of = { ...who, session };
  assertEquals(house.takeEvents(), [
    { ...of, event: "created", operation: "create", job: "contract", task },
    { ...of, event: "cancelled", operation: "cancel", job: "contract", task },
    { ...of, event: "session_deleted", operation: "session" },
  ]);
});

Deno.test("the audit log has every request for an unknown tool, resource, method or task, with its principal and address", async () => {
  await using house = new House();
  const raw = await Raw.open(house.fetch, "ann");
  const session = raw.session.slice(0, 8);
  house.takeEvents();
  for (const [ask, more] of [[raw.ask.bind(raw), { session }], [house.ask.bind(house, "ann"), {}]] as const) {
    await ask("tools/call", { name: "nope", arguments: { a: "secret" } });
    await ask("resources/read", { uri: "info://nope" });
    await ask("nope/nope", {});
    await ask("tasks/get", { taskId: "nope" });
    const unknown =
      'Cannot find task "nope": the id is unknown. Check that you have copied all of it. Tasks are deleted some time after they end.';
    assertEquals(house.takeEvents(), [
      { ...byAnn, ...more, operation: "create", reason: 'Unknown tool "nope".' },
      { ...byAnn, ...more, operation: "read", reason: 'Unknown resource "info://nope".' },
      { ...byAnn, ...more, operation: "request", reason: 'Unknown method "nope/nope".' },
      { ...byAnn, ...more, operation: "read", task: "nope", reason: unknown },
    ]);
  }
});

Deno.test("an unknown tool is in the audit log even if the server has no plain tools", async () => {
  const events: AuditEvent[] = [];
  await using server = new AsyncToolServer({
    name: "bare",
    version: "1",
    backend: new MemoryBackend(),
    strategy: new PollingExposureStrategy(),
    audit: (event) => events.push(event),
  });
  const raw = await Raw.open(server.fetch);
  await raw.ask("tools/call", { name: "nope" });
  assertEquals(events.at(-1)?.reason, 'Unknown tool "nope".');
});

Deno.test("the audit log has every operation on a task by a client that does not declare the extension", async () => {
  await using house = new House();
  const reason = "Missing required client capabilities: extensions";
  const missing = (operation: string, job?: string) => ({ ...byAnn, operation, ...(job && { job }), reason });
  for (
    const [method, params, operation, job] of [
      ["tasks/get", { taskId: "nope" }, "read"],
      ["tasks/update", { taskId: "nope", inputResponses: {} }, "answer"],
      ["tasks/cancel", { taskId: "nope" }, "cancel"],
      ["subscriptions/listen", { notifications: { taskIds: ["nope"] } }, "read"],
      ["tools/call", { name: "must", arguments: {} }, "create", "must"],
    ] as const
  ) {
    const status = await house.ask("ann", method, params, {});
    const expected = [missing(operation, job)];
    assertEquals([status, house.takeEvents()], [400, expected], method);
  }
});

Deno.test("the audit log has a subscription to somebody else's task, with the subscriber's address", async () => {
  await using house = new House();
  await house.ask("ann", "tools/call", { name: "contract", arguments: {} });
  const [{ task } = { task: "" }] = house.takeEvents();
  await house.ask("bob", "subscriptions/listen", { notifications: { taskIds: [task] } });
  assertEquals(house.takeEvents().map(({ reason: _, ...event }) => event), [
    { ...byAnn, principal: "bob", operation: "read", task },
  ]);
});

Deno.test("the audit log has malformed requests: bad headers, types, bodies and messages", async () => {
  await using house = new House();
  const send = async (init: RequestInit & { readonly headers?: Record<string, string> }) => {
    const response = await new Raw(house.fetch, "ann").send({ method: "POST", ...init });
    await response.body?.cancel();
    return response.status;
  };
  const call = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: { secret: 1 } });
  const cases: [RequestInit & { readonly headers?: Record<string, string> }, number, string][] = [
    [{ body: "secret" }, 400, "HTTP 400 The body is not JSON."],
    [{ body: "[]" }, 400, "HTTP 400 Invalid request: JSON-RPC batches are not supported."],
    [{ body: "{}" }, 400, "HTTP 400 Invalid request: not a JSON-RPC 2.0 message."],
    [
      { body: "{}", headers: { "content-encoding": "identity" } },
      400,
      "HTTP 400 Invalid request: not a JSON-RPC 2.0 message.",
    ],
    [{ body: call }, 400, "HTTP 400 JSON-RPC error -32000"],
    [{ body: call, headers: { "mcp-protocol-version": "2026-07-28" } }, 400, "HTTP 400 JSON-RPC error -32602"],
    [
      { body: "x".repeat(18_000_000) },
      413,
      "HTTP 413 Invalid request: the message has more than 17825792 bytes.",
    ],
    [
      { body: call, headers: { "content-type": "text/plain" } },
      415,
      "HTTP 415 Invalid request: the content type must be application/json.",
    ],
    [
      { body: call, headers: { "content-encoding": "gzip" } },
      415,
      "HTTP 415 Invalid request: the body must not be compressed.",
    ],
  ];
  for (const [init, status, reason] of cases) {
    assertEquals(await send(init), status, reason);
    assertEquals(house.takeEvents(), [{ ...byAnn, operation: "request", reason }]);
  }
});

Deno.test("the audit log has only the address of a caller who is rejected", async () => {
  await using house = new House();
  await new Raw(house.fetch).post("tools/list");
  assertEquals(house.takeEvents(), [{ ...refused, operation: "authenticate", reason: "HTTP 401" }]);
});

Deno.test("each request has its own client and address in the audit log, even within one session at the same time", async () => {
  const events: AuditEvent[] = [];
  const server = fixtureServer("operation", new MemoryBackend(), {
    authenticate: ({ headers }) => ({ principal: "ann", client: headers.get("x-client") ?? "none" }),
    audit: (event) => events.push(event),
  });
  const raw = await Raw.open(server.fetch);
  events.splice(0);
  const from = async (client: string) => {
    const params = { name: "contract", arguments: {}, task: {} };
    const body = JSON.stringify({ jsonrpc: "2.0", id: client, method: "tools/call", params });
    const headers = { "x-client": client };
    const session = new Raw((request) => server.fetch(request, { remoteAddr: { hostname: `at ${client}` } }));
    session.session = raw.session;
    const response = await session.send({ method: "POST", body, headers });
    await response.text();
  };
  const clients = Array.from({ length: 20 }, (_, i) => `client ${i}`);
  await Promise.all(clients.map(from));
  const sources = events.map(({ event, client, address }) => [event, client, address]);
  assertEquals(sources.sort(), clients.map((client) => ["created", client, `at ${client}`]).sort());
  await server.close();
});

Deno.test("the address is that of the connection if the server listens itself", async () => {
  const events: AuditEvent[] = [];
  const end = new AbortController();
  const listening = Promise.withResolvers<string>();
  const server = fixtureServer("operation", undefined, { audit: (event) => events.push(event) });
  const running = server.run({ transport: "http", port: 0, signal: end.signal, onListen: listening.resolve });
  await ask(new URL(await listening.promise), "tasks/get", { taskId: "nope" });
  end.abort();
  await running;
  assertEquals(events.map(({ event, address }) => [event, address]), [["refused", "127.0.0.1"]]);
});

Deno.test("a request has nothing of the source of an earlier one, even if that has loaded a module in Deno.serve", async () => {
  const events: AuditEvent[] = [];
  await using server = fixtureServer("operation", new MemoryBackend(), {
    authenticate: async () => {
      await import("data:text/javascript,"); // as jwtAuthenticator loads jose
      return new Response(null, { status: 401 });
    },
    audit: (event) => events.push(event),
  });
  await using http = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, server.fetch);
  for (const headers of [new Headers({ "mcp-session-id": "ann's session" }), new Headers()]) {
    const response = await fetch(`http://127.0.0.1:${http.addr.port}/mcp`, { method: "POST", headers });
    await response.body?.cancel();
  }
  assertEquals(events.map(({ session }) => session), ["ann's se", undefined]);
});
