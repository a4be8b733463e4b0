/**
 * Streamable HTTP: sessions for revision 2025-11-25, single requests for 2026-07-28, on one endpoint. A task belongs to
 * its owner, never to a session: a lost session loses no task.
 *
 * @module
 */
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  isJsonContentType,
  isLegacyRequest,
  type JSONRPCMessage,
  localhostAllowedHostnames,
  type McpHttpHandler,
  originValidationResponse,
  readRequestBody,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { bind, type Served } from "./bind.ts";
import type { McpHost } from "./host.ts";
import { listenOverHttp } from "./listen_http.ts";
import { MAX_MESSAGE_BYTES, readMessage, tooLong } from "./message.ts";

/** A session without a request for this long is closed when the next one begins, in ms. */
const SESSION_IDLE_MS = 24 * 3_600_000;

/** Without authentication all callers are one owner that nobody knows: a task id is the only key to its task. */
const ANYBODY = { owner: "anonymous", known: false };

interface Session {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly host: McpHost;
  lastUsed: number;
}

/** Answers MCP requests over HTTP. */
export class HttpEndpoint implements AsyncDisposable {
  readonly #served: Served;
  readonly #hosts: string[];
  readonly #sessions = new Map<string, Session>();
  readonly #modern: McpHttpHandler;

  /** `allowedHosts` are the names, beside those of this machine, under which the endpoint may be called. */
  constructor(served: Served, allowedHosts: readonly string[] = []) {
    this.#served = served;
    this.#hosts = [...localhostAllowedHostnames(), ...allowedHosts];
    this.#modern = createMcpHandler(({ era }) => bind(served, ANYBODY, era), { legacy: "reject" });
  }

  /** Answers one request. */
  async fetch(request: Request): Promise<Response> {
    const refused = hostHeaderValidationResponse(request, this.#hosts) ??
      originValidationResponse(request, this.#hosts);
    if (refused) return refused;
    // A request of another method or type is the SDK's to refuse.
    if (request.method !== "POST" || !isJsonContentType(request.headers.get("content-type"))) {
      return await this.#route(request);
    }
    const body = await readRequestBody(request, MAX_MESSAGE_BYTES);
    if (body.tooLarge) return Response.json(tooLong(), { status: 413 });
    const read = readMessage(body.text);
    if ("refusal" in read) return Response.json(read.refusal, { status: 400 });
    return await this.#route(request, read.message);
  }

  /** Closes every session and stream. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ host }) => host.close()));
    this.#sessions.clear();
    await this.#modern.close();
  }

  async #route(request: Request, message?: JSONRPCMessage): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    if (id !== null) return await this.#resume(id, request, message);
    if (await isLegacyRequest(request, message)) return await this.#begin(request, message);
    return await listenOverHttp(
      this.#served,
      ANYBODY,
      message,
      (message) => this.#modern.fetch(request, { parsedBody: message }),
    );
  }

  async #resume(id: string, request: Request, parsedBody?: JSONRPCMessage): Promise<Response> {
    const session = this.#sessions.get(id);
    if (session === undefined) {
      // 2025-11-25, Transports, "Session Management": 404 makes the client begin a new session.
      const error = { code: -32001, message: "Session not found: begin a new one. Your tasks are still there." };
      return Response.json({ jsonrpc: "2.0", id: null, error }, { status: 404 });
    }
    session.lastUsed = Date.now();
    return await session.transport.handleRequest(request, { parsedBody });
  }

  async #begin(request: Request, parsedBody?: JSONRPCMessage): Promise<Response> {
    await this.#closeIdle();
    const host = bind(this.#served, ANYBODY, "legacy");
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void this.#sessions.set(id, { transport, host, lastUsed: Date.now() }),
      onsessionclosed: (id) => void this.#sessions.delete(id),
    });
    await host.connect(transport);
    const response = await transport.handleRequest(request, { parsedBody });
    if (transport.sessionId === undefined) await host.close();
    return response;
  }

  async #closeIdle(): Promise<void> {
    for (const [id, { host, lastUsed }] of this.#sessions) {
      if (lastUsed + SESSION_IDLE_MS > Date.now()) continue;
      this.#sessions.delete(id);
      await host.close();
    }
  }
}
