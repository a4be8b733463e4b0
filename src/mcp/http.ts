/**
 * Streamable HTTP: sessions for revision 2025-11-25, single requests for 2026-07-28, on one endpoint. A task belongs to
 * its owner, never to a session: a lost session loses no task.
 *
 * @module
 */
import {
  type AuthInfo,
  CLIENT_CAPABILITIES_META_KEY,
  createMcpHandler,
  isLegacyRequest,
  type JSONRPCMessage,
  type McpHttpHandler,
  type McpServerFactory,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import { type Audit, type AuditEvent, LONGEST_REASON } from "../audit.ts";
import type { Authenticate, Identity } from "../authenticate.ts";
import type { StreamStore } from "../backend.ts";
import { BackendError, Unavailable } from "../errors.ts";
import { isObject } from "../json.ts";
import { cut, messageOf, quote } from "../text.ts";

import { bind, type Peer, type Served } from "./bind.ts";
import { readBody } from "./body.ts";
import { allowedHosts, refuseHost } from "./hosts.ts";
import { listenOverHttp } from "./listen_http.ts";
import { badUrl } from "./message.ts";
import { OpenStreams } from "./open_streams.ts";
import { ANYBODY, peerOf } from "./owners.ts";
import { declaresTasks } from "./rev_2026_07_28.ts";
import { Sessions } from "./sessions.ts";

/** How long a closing endpoint waits for the answers that are on their way, in ms. */
const CLOSE_GRACE_MS = 5_000;

/** The most `subscriptions/listen` streams at once. */
const MAX_SUBSCRIPTIONS = 10_000;

/** Within which time the body of a request has to come, in ms. */
const BODY_TIMEOUT_MS = 60_000;

/** What an endpoint goes by. */
export interface HttpOptions {
  /** The names, beside those of this machine, under which the endpoint may be called. */
  readonly allowedHosts?: readonly string[];
  /** The address that is listened on, whose name is allowed, too. */
  readonly hostname?: string;
  /** Says who calls; without it nobody knows. */
  readonly authenticate?: Authenticate;
  /** Keeps the streams of sessions. */
  readonly streams: StreamStore;
  /** The most sessions of one known principal; default: as many as there may be. */
  readonly sessionsOfOne?: number;
  /** Within which time the body of a request has to come, in ms; default 60,000. */
  readonly bodyTimeout?: number;
  /** Rejects while the backend does not answer. */
  readonly checkHealth: () => Promise<void>;
  /** Hears who was not let in. */
  readonly audit?: Audit;
}

/** Who calls, in our words and in the SDK's. */
interface Caller {
  readonly peer: Peer;
  readonly authInfo?: AuthInfo;
}

/** Answers MCP requests over HTTP, and `/healthz`. */
export class HttpEndpoint implements AsyncDisposable {
  readonly #served: Served;
  readonly #options: HttpOptions;
  readonly #hosts: string[];
  readonly #answers = new OpenStreams();
  readonly #sessions: Sessions;
  readonly #modern: McpHttpHandler;
  /** Answers calls that wait for a job, with a stream from the start. */
  readonly #patient: McpHttpHandler;
  /** Who sent a request that the SDK is to answer. */
  readonly #peers = new WeakMap<Request, Peer>();
  #closing = false;

  constructor(served: Served, options: HttpOptions) {
    this.#served = served;
    this.#options = options;
    this.#hosts = allowedHosts(options.allowedHosts, options.hostname);
    const limits = { ofOne: options.sessionsOfOne ?? Infinity };
    const refused = (principal: string, reason: string) => this.#tell({ operation: "session", principal, reason });
    const begin = (peer: Peer) => bind(served, peer, "legacy");
    this.#sessions = new Sessions(begin, options.streams, this.#answers, refused, limits);
    const factory: McpServerFactory = ({ era, requestInfo }) =>
      bind(served, requestInfo && this.#peers.get(requestInfo) || ANYBODY, era);
    this.#modern = createMcpHandler(factory, { legacy: "reject", maxSubscriptions: MAX_SUBSCRIPTIONS });
    this.#patient = createMcpHandler(factory, { legacy: "reject", responseMode: "sse" });
  }

  /** Answers one request. */
  async fetch(request: Request): Promise<Response> {
    const url = URL.parse(request.url);
    if (url === null) return Response.json(badUrl(), { status: 400 });
    if (url.pathname === "/healthz") return await this.#health();
    if (this.#closing) return shuttingDown();
    const refused = refuseHost(request, url, this.#hosts);
    if (refused) {
      const { headers } = request;
      const called = `Host ${quote(headers.get("host") ?? url.host)}, Origin ${quote(headers.get("origin") ?? "")}`;
      return this.#notLetIn(refused, called);
    }
    const caller = await this.#identify(request);
    if (caller instanceof Response) return caller;
    const message = request.method === "POST" ? await this.#read(request) : undefined;
    if (message instanceof Response) return message;
    // It may have come slowly.
    if (this.#closing) return shuttingDown();
    try {
      return await this.#route(caller, request, message);
    } catch (error) {
      if (error instanceof Unavailable) return shuttingDown();
      if (error instanceof BackendError) return unavailable("The backend does not answer.");
      throw error;
    }
  }

  /** Takes no new request, lets what waits go with an error, answers what runs, and closes every session and stream. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    this.#served.tasks.stopWaiting(new Unavailable("The server is shutting down. The task goes on: ask for it again."));
    await this.#answers.drained(CLOSE_GRACE_MS);
    await this.#sessions[Symbol.asyncDispose]();
    await this.#modern.close();
    await this.#patient.close();
  }

  async #health(): Promise<Response> {
    try {
      await this.#options.checkHealth();
      return this.#closing ? shuttingDown() : Response.json({ status: "ok" });
    } catch {
      // Why is told to nobody who may not know: the same error stands in the answers to those who may.
      return unavailable("The backend does not answer.");
    }
  }

  async #identify(request: Request): Promise<Caller | Response> {
    const { authenticate } = this.#options;
    if (authenticate === undefined) return { peer: ANYBODY };
    try {
      const identity = await authenticate(request);
      if (identity instanceof Response) {
        return this.#notLetIn(identity, identity.headers.get("www-authenticate") ?? identity.statusText);
      }
      const peer = await peerOf(identity);
      if (peer) return { peer, authInfo: authInfoOf(identity) };
    } catch (error) {
      // Why is for the operator alone.
      return this.#notLetIn(unavailable("It cannot be told now who calls."), messageOf(error));
    }
    const error = "The principal is empty or not well-formed text.";
    return this.#notLetIn(Response.json({ error }, { status: 401 }), error);
  }

  async #read(request: Request): Promise<JSONRPCMessage | Response> {
    const { bodyTimeout: timeout = BODY_TIMEOUT_MS } = this.#options;
    const body = await readBody(request, { maxBytes: this.#served.maxMessageBytes, timeout });
    return "message" in body ? body.message : Response.json(body.refusal, { status: body.status });
  }

  /** Tells the audit log of an answer to who was not let in, and why. */
  #notLetIn(answer: Response, why: string): Response {
    const reason = cut(`HTTP ${answer.status} ${why}`.trim(), LONGEST_REASON);
    if (!answer.ok) this.#tell({ operation: "authenticate", reason });
    return answer;
  }

  #tell(refused: Pick<AuditEvent, "operation" | "principal" | "reason">): void {
    this.#options.audit?.({ at: new Date().toISOString(), event: "refused", ...refused });
  }

  async #route({ peer, authInfo }: Caller, request: Request, message?: JSONRPCMessage): Promise<Response> {
    // The era is that of the message: 2026-07-28 knows no sessions, whatever its headers say.
    if (!claimsRevision(message) && await isLegacyRequest(request, message)) {
      const call = { request, message, authInfo };
      const id = request.headers.get("mcp-session-id");
      return id === null ? await this.#sessions.begin(peer, call) : await this.#sessions.resume(id, peer, call);
    }
    this.#peers.set(request, peer);
    const handler = waitsForJob(this.#served, message) ? this.#patient : this.#modern;
    const respond = (parsedBody?: JSONRPCMessage) => handler.fetch(request, { parsedBody, authInfo });
    // A client that listens waits for nothing that could be answered.
    if (message && "method" in message && message.method === "subscriptions/listen") {
      return await listenOverHttp(this.#served, peer, message, respond);
    }
    return await this.#answers.follow(() => respond(message));
  }
}

/**
 * Whether a message carries the claim of 2026-07-28. Then it is none of a session, and the SDK need not be asked; but for
 * `initialize`, where it looks closer.
 */
function claimsRevision(message: JSONRPCMessage | undefined): boolean {
  if (message === undefined || !("method" in message) || message.method === "initialize") return false;
  const { _meta } = message.params ?? {};
  return isObject(_meta) && PROTOCOL_VERSION_META_KEY in _meta;
}

/**
 * Whether a 2026-07-28 message is a plain call of a job. Its client cancels it by closing the stream of the answer
 * (Streamable HTTP, "Cancellation"), which has to be there before the answer is; and comments keep the stream alive.
 */
function waitsForJob({ surface }: Served, message: JSONRPCMessage | undefined): boolean {
  if (message === undefined || !("method" in message) || message.method !== "tools/call") return false;
  const { name, _meta } = message.params ?? {};
  const tool = surface.tools.find((tool) => tool.name === name);
  if (tool?.start === undefined || tool.taskSupport === "required") return false;
  return !(isObject(_meta) && declaresTasks(_meta[CLIENT_CAPABILITIES_META_KEY]));
}

/** The token itself stays out: nothing behind this needs it. */
function authInfoOf({ principal, scopes = [] }: Identity): AuthInfo {
  return { token: "", clientId: "", scopes: [...scopes], extra: { principal } };
}

/** The answer of a server that has ended, or is about to. */
export function shuttingDown(): Response {
  return unavailable("The server is shutting down.");
}

function unavailable(error: string): Response {
  return Response.json({ status: "unavailable", error }, { status: 503, headers: { "retry-after": "5" } });
}
