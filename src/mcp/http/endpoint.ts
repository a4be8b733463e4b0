/**
 * Streamable HTTP: sessions for revision 2025-11-25, single requests for 2026-07-28, on one endpoint. A task belongs to
 * its owner, never to a session: a lost session loses no task.
 *
 * @module
 */
import {
  createMcpHandler,
  isLegacyRequest,
  type JSONRPCMessage,
  type McpHttpHandler,
  type McpServerFactory,
  PARSE_ERROR,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import { type Audit, type AuditEvent, LONGEST_REASON } from "../../tasks/audit.ts";
import type { Authenticate } from "../../auth/authenticate.ts";
import type { StreamStore } from "../../backend.ts";
import { BackendError, Unavailable } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { type FetchInfo, fromSource, sessionMark, withSource } from "../../tasks/audit_source.ts";
import { cut, messageOf, quote } from "../../text.ts";
import { bind, waitsForJob } from "../bind.ts";
import { readBody } from "./body.ts";
import { type Caller, identify, unavailable } from "./caller.ts";
import { limitResponse, MISSING_CAPABILITY } from "../errors.ts";
import { allowedHosts, refuseHost } from "./hosts.ts";
import { listenOverHttp } from "./subscriptions.ts";
import { badUrl } from "../messages/message.ts";
import { newestProgress } from "./streams/newest_progress.ts";
import { OpenStreams } from "./streams/open_streams.ts";
import { Origins } from "./origins.ts";
import { ANYBODY, type Peer } from "../peer.ts";
import type { Served } from "../served.ts";
import { RequestRate } from "./request_rate.ts";
import { type SessionEvent, Sessions } from "./sessions/mod.ts";
import { untilExpired } from "./streams/until_expired.ts";

/** How long a closing endpoint waits for the answers that are on their way, in ms. */
const CLOSE_GRACE_MS = 5_000;

/** The most `subscriptions/listen` streams at once. */
const MAX_SUBSCRIPTIONS = 10_000;

/** Within which time the body of a request has to come, in ms. */
const BODY_TIMEOUT_MS = 60_000;

/** What an endpoint goes by. */
export interface HttpOptions {
  /** Says who calls; without it nobody knows. */
  readonly authenticate?: Authenticate;
  /** Whose pages may call from a browser; default: those of the names by which it may be called, unheard by them. */
  readonly origins?: Origins;
  /** Keeps the streams of sessions. */
  readonly streams: StreamStore;
  /** The most sessions of one known principal; default: as many as there may be. */
  readonly sessionsOfOne?: number;
  /** The most requests of one caller in a minute; default: as many as there may be. */
  readonly requestsPerMinute?: number;
  /** Within which time the body of a request has to come, in ms; default 60,000. */
  readonly bodyTimeout?: number;
  /** Rejects, with a text that anybody may read, while the backend takes no tasks. */
  readonly checkHealth: () => Promise<void>;
  /** Hears who was not let in, which requests are refused, and of sessions that begin and end. */
  readonly audit?: Audit;
}

/** Answers MCP requests over HTTP, and `/healthz`. */
export class HttpEndpoint implements AsyncDisposable {
  readonly #served: Served;
  readonly #options: HttpOptions;
  readonly #audit: Audit;
  readonly #origins: Origins;
  readonly #requests: RequestRate;
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
    this.#audit = withSource(options.audit ?? (() => {}));
    this.#origins = options.origins ?? new Origins();
    this.#requests = new RequestRate(options.requestsPerMinute ?? Infinity);
    const limits = { ofOne: options.sessionsOfOne ?? Infinity };
    const tell = (event: SessionEvent) => this.#tell({ operation: "session", ...event });
    const begin = (peer: Peer) => bind(served, peer, "legacy");
    this.#sessions = new Sessions(begin, options.streams, this.#answers, tell, limits);
    const factory: McpServerFactory = ({ era, requestInfo }) =>
      bind(served, requestInfo && this.#peers.get(requestInfo) || ANYBODY, era);
    this.#modern = createMcpHandler(factory, { legacy: "reject", maxSubscriptions: MAX_SUBSCRIPTIONS });
    this.#patient = createMcpHandler(factory, { legacy: "reject", responseMode: "sse" });
  }

  /** Answers one request, which may call the endpoint by the names of `hosts`. */
  async fetch(request: Request, info?: FetchInfo, hosts: string[] = allowedHosts()): Promise<Response> {
    const url = URL.parse(request.url);
    if (url?.pathname === "/healthz") return await this.#health();
    if (this.#closing) return shuttingDown();
    const address = info?.remoteAddr?.hostname;
    const session = request.headers.get("mcp-session-id");
    const source = { ...(address && { address }), ...(session && { session: sessionMark(session) }) };
    return await fromSource(source, () => this.#admit(request, url, hosts, address));
  }

  /** Lets in whoever is known and calls by an allowed name, as often as that is allowed. */
  async #admit(request: Request, url: URL | null, hosts: string[], address?: string): Promise<Response> {
    if (url === null) {
      return this.#notLetIn(Response.json(badUrl(), { status: 400 }), "Its URL, with the Host header, is none.");
    }
    const refused = refuseHost(request, url, hosts, this.#origins.allows(request));
    if (refused) {
      const { headers } = request;
      const called = `Host ${quote(headers.get("host") ?? url.host)}, Origin ${quote(headers.get("origin") ?? "")}`;
      return this.#notLetIn(refused, called);
    }
    const preflight = this.#origins.preflight(request);
    if (preflight) return preflight;
    const caller = await identify(request, this.#options.authenticate);
    if ("answer" in caller) return this.#notLetIn(caller.answer, caller.why);
    // Where `authenticate` has none, no metadata tells clients how to get a token.
    if (url.pathname.startsWith("/.well-known/")) return Response.json({ error: "not_found" }, { status: 404 });
    const { peer, client } = caller;
    const from = peer.known ? peer.owner : address ?? "";
    return await fromSource(client ? { client } : {}, async () => {
      const tooMany = this.#requests.admit(from);
      if (tooMany) return this.#refuse(peer, limitResponse(tooMany, 429), tooMany.message);
      const message = request.method === "POST" ? await this.#read(request, peer, from) : undefined;
      return message instanceof Response ? message : await this.#answer(caller, request, message);
    });
  }

  async #answer(caller: Caller, request: Request, message?: JSONRPCMessage): Promise<Response> {
    // The body may have come slowly.
    if (this.#closing) return shuttingDown();
    try {
      const response = untilExpired(await this.#route(caller, request, message), caller.expiresAt);
      return response.status === 400 ? await this.#refusedBySdk(caller.peer, response) : response;
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
    } catch (error) {
      return unavailable(messageOf(error));
    }
  }

  async #read(request: Request, peer: Peer, from: string): Promise<JSONRPCMessage | Response> {
    const { bodyTimeout: timeout = BODY_TIMEOUT_MS } = this.#options;
    const body = await readBody(request, { maxBytes: this.#served.maxMessageBytes, timeout });
    this.#requests.charge(from, body.size);
    if ("message" in body) return body.message;
    const { refusal, status } = body;
    // A parse error quotes what was sent.
    const why = refusal.error.code === PARSE_ERROR ? "The body is no JSON." : refusal.error.message;
    return this.#refuse(peer, Response.json(refusal, { status }), why);
  }

  /** Tells the audit log of an answer to who was not let in, and why. */
  #notLetIn(answer: Response, why: string): Response {
    const reason = reasonOf(answer, why);
    if (!answer.ok) this.#tell({ event: "refused", operation: "authenticate", reason });
    return answer;
  }

  /** Tells the audit log of the answer to a request that was refused as such, and why. */
  #refuse({ owner }: Peer, answer: Response, why: string): Response {
    this.#tell({ event: "refused", principal: owner, operation: "request", reason: reasonOf(answer, why) });
    return answer;
  }

  /** What the SDK says may quote the request, so the audit log is told no more than its code. */
  async #refusedBySdk(peer: Peer, answer: Response): Promise<Response> {
    const code = (await answer.clone().json().catch(() => undefined))?.error?.code;
    // Where a capability was missing has been told already.
    return code === MISSING_CAPABILITY ? answer : this.#refuse(peer, answer, `JSON-RPC error ${code}`);
  }

  #tell(event: Omit<AuditEvent, "at">): void {
    this.#audit({ at: new Date().toISOString(), ...event });
  }

  async #route({ peer, authInfo }: Caller, request: Request, message?: JSONRPCMessage): Promise<Response> {
    // The era is that of the message: 2026-07-28 knows no sessions, whatever its headers say.
    if (!claimsRevision(message) && await isLegacyRequest(request, message)) {
      const call = { request, message, authInfo };
      const id = request.headers.get("mcp-session-id");
      return id === null ? await this.#sessions.begin(peer, call) : await this.#sessions.resume(id, peer, call);
    }
    this.#peers.set(request, peer);
    const handler = waitsForJob(this.#served.surface, message) ? this.#patient : this.#modern;
    const respond = (parsedBody?: JSONRPCMessage) => handler.fetch(request, { parsedBody, authInfo });
    // A client that listens waits for nothing that could be answered.
    if (message && "method" in message && message.method === "subscriptions/listen") {
      return await listenOverHttp(this.#served, peer, message, respond);
    }
    return await this.#answers.follow(async () => newestProgress(await respond(message)));
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

/** Why an answer refuses, for the audit log. */
function reasonOf({ status }: Response, why: string): string {
  return cut(`HTTP ${status} ${why}`.trim(), LONGEST_REASON);
}

/** The answer of a server that has ended, or is about to. */
export function shuttingDown(): Response {
  return unavailable("The server is shutting down.");
}
