/**
 * Streamable HTTP: sessions for revision 2025-11-25, single requests for 2026-07-28, on one endpoint. A task belongs to
 * its owner, never to a session: a lost session loses no task.
 *
 * @module
 */
import {
  createMcpHandler,
  INVALID_REQUEST,
  isLegacyRequest,
  type JSONRPCMessage,
  type McpHttpHandler,
  type McpServerFactory,
  PARSE_ERROR,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import { type Audit, type AuditEvent, LONGEST_REASON } from "../../tasks/audit.ts";
import type { Authenticate } from "../../auth/authenticate.ts";
import type { DocumentStore, StreamStore } from "../../backend.ts";
import { BackendError, LimitExceeded, Unavailable } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { alsoFrom, type FetchInfo, fromSource, sessionMark, withSource } from "../../tasks/audit_source.ts";
import { cut, messageOf, quote } from "../../text.ts";
import { bind, bindRequest, waitsForJob } from "../bind.ts";
import { readBody } from "./body.ts";
import { identify, type Sender } from "./sender.ts";
import { MISSING_CAPABILITY } from "../errors.ts";
import { allowedHosts, refuseHost } from "./hosts.ts";
import { Subscriptions } from "./subscriptions.ts";
import { type HeldMessage, HeldMessages } from "../messages/held.ts";
import { refuse } from "../messages/message.ts";
import { LateAnswers } from "./streams/late_answers.ts";
import { newestProgress } from "./streams/newest_progress.ts";
import { OpenStreams } from "./streams/open_streams.ts";
import { Origins } from "./origins.ts";
import { ANONYMOUS, type Peer } from "../peer.ts";
import type { Served } from "../served.ts";
import { limitResponse, shuttingDown, unavailable } from "./refusals.ts";
import { RequestRate } from "./request_rate.ts";
import { parseEventId } from "./sessions/event_ids.ts";
import { Sessions } from "./sessions/mod.ts";
import { answerUntilExpired, untilExpired } from "./streams/until_expired.ts";

/** How long a closing endpoint waits for the responses that are still being sent, in ms. */
const CLOSE_GRACE_MS = 5_000;

/** The most `subscriptions/listen` streams at once. */
const MAX_SUBSCRIPTIONS = 10_000;

/** How long the body of a request may take to arrive, in ms. */
const BODY_TIMEOUT_MS = 60_000;

export interface HttpOptions {
  /** Says who sent a request; without it every sender is anonymous. */
  readonly authenticate?: Authenticate;
  /** Whose pages may call from a browser; default: those of allowed hosts, which cannot read the response. */
  readonly origins?: Origins;
  readonly streams: StreamStore;
  /** Carry messages of sessions between processes. */
  readonly documents: DocumentStore;
  /** The most sessions, and the most open subscriptions, of one known principal; default: no limit. */
  readonly sessionsOfOne?: number;
  /** The most requests of one sender in a minute; default: no limit. */
  readonly requestsPerMinute?: number;
  /** How long the body of a request may take to arrive, in ms; default 60,000. */
  readonly bodyTimeout?: number;
  /** Rejects, with a text that anybody may read, while the backend accepts no tasks. */
  readonly checkHealth: () => Promise<void>;
  /** Receives rejected senders, refused requests, and sessions that begin and end. */
  readonly audit?: Audit;
}

/** A request that the SDK answers. */
interface Exchange {
  readonly peer: Peer;
  readonly message?: JSONRPCMessage;
  /** The server of this request alone. */
  server?: ReturnType<typeof bindRequest>;
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
  readonly #subscriptions: Subscriptions;
  readonly #modern: McpHttpHandler;
  readonly #late = new LateAnswers();
  readonly #held = new HeldMessages();
  /** The requests that the SDK answers. */
  readonly #exchanges = new WeakMap<Request, Exchange>();
  #closing = false;

  constructor(served: Served, options: HttpOptions) {
    this.#served = served;
    this.#options = options;
    this.#audit = withSource(options.audit ?? (() => {}));
    this.#origins = options.origins ?? new Origins();
    this.#requests = new RequestRate(options.requestsPerMinute ?? Infinity);
    const limits = { ofOne: options.sessionsOfOne ?? Infinity };
    this.#subscriptions = new Subscriptions(served, limits.ofOne);
    this.#sessions = new Sessions({
      bind: (peer) => bind(served, peer, "legacy"),
      streams: options.streams,
      documents: options.documents,
      answers: this.#answers,
      record: (event) => this.#record({ operation: "session", ...event }),
      limits,
      onError: served.tasks.onError,
    });
    const factory: McpServerFactory = ({ requestInfo }) => {
      const exchange: Exchange = requestInfo && this.#exchanges.get(requestInfo) || { peer: ANONYMOUS };
      // What a WeakMap still holds survives until the next full collection: here the message and its server.
      if (requestInfo) this.#exchanges.delete(requestInfo);
      return exchange.server = bindRequest(served, exchange.peer, exchange.message);
    };
    this.#modern = createMcpHandler(factory, { legacy: "reject", maxSubscriptions: MAX_SUBSCRIPTIONS });
  }

  /** Answers one request, whose Host header must be one of `hosts`. */
  async fetch(request: Request, info?: FetchInfo, hosts: string[] = allowedHosts()): Promise<Response> {
    const url = URL.parse(request.url);
    if (url?.pathname === "/healthz") return await this.#health();
    if (this.#closing) return shuttingDown();
    const address = info?.remoteAddr?.hostname;
    const session = request.headers.get("mcp-session-id");
    const source = { ...(address && { address }), ...(session && { session: sessionMark(session) }) };
    // In Deno 2.9, a request of `Deno.serve` may begin in the async context of whichever has last loaded a module.
    return await fromSource(source, () => this.#admit(request, url, hosts, address));
  }

  /** Checks host, origin, sender and rate, and then answers. */
  async #admit(request: Request, url: URL | null, hosts: string[], address?: string): Promise<Response> {
    if (url === null) {
      const refusal = refuse(INVALID_REQUEST, "Invalid request: the URL, with the Host header, is not valid.");
      return this.#reject(Response.json(refusal, { status: 400 }), "Its URL, with the Host header, is not valid.");
    }
    const refused = refuseHost(request, url, hosts, this.#origins.allows(request));
    if (refused) {
      const { headers } = request;
      const names = `Host ${quote(headers.get("host") ?? url.host)}, Origin ${quote(headers.get("origin") ?? "")}`;
      return this.#reject(refused, names);
    }
    const preflight = this.#origins.preflight(request);
    if (preflight) return preflight;
    const sender = await identify(request, this.#options.authenticate, this.#served.tasks.onError);
    if ("response" in sender) return this.#reject(sender.response, sender.reason);
    // Unless `authenticate` answers this, there is no metadata that tells clients how to get a token.
    if (url.pathname.startsWith("/.well-known/")) return Response.json({ error: "not_found" }, { status: 404 });
    const { peer, client } = sender;
    const from = peer.known ? peer.owner : address ?? "";
    return await alsoFrom(client ? { client } : {}, async () => {
      const tooMany = this.#requests.admit(from);
      if (tooMany) return this.#refuse(peer, limitResponse(tooMany, 429), tooMany.message);
      const held = this.#held.begin(from, request);
      try {
        const message = await this.#read(request, peer, from, held);
        return message instanceof Response ? message : await this.#answer(sender, request, message);
      } finally {
        held.release();
      }
    });
  }

  async #answer(sender: Sender, request: Request, message?: JSONRPCMessage): Promise<Response> {
    // The body may have taken long to arrive.
    if (this.#closing) return shuttingDown();
    try {
      const answer = await this.#route(sender, request, message);
      const response = isListening(request, message)
        ? untilExpired(answer, sender.expiresAt)
        : answerUntilExpired(answer, sender.expiresAt, claimsRevision(message) ? message : undefined);
      return response.status === 400 ? await this.#refusedBySdk(sender.peer, response) : response;
    } catch (error) {
      if (error instanceof Unavailable) return shuttingDown();
      if (error instanceof LimitExceeded) {
        const status = error.retryAfter === undefined ? 413 : 429;
        return this.#refuse(sender.peer, limitResponse(error, status, message), error.message);
      }
      if (!(error instanceof BackendError)) throw error;
      this.#served.tasks.onError(error, { where: "answer a request" });
      return unavailable("The backend does not answer.");
    }
  }

  /** Accepts no new request, ends the waits of calls, finishes open responses, and closes sessions and streams. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    const { tasks } = this.#served;
    const what = tasks.areKept
      ? "The task goes on: repeat this call later."
      : "The task was in memory, and ends with it.";
    tasks.stopWaiting(new Unavailable(`The server is shutting down. ${what}`));
    await this.#answers.drained(CLOSE_GRACE_MS);
    await this.#sessions[Symbol.asyncDispose]();
    await this.#modern.close();
  }

  async #health(): Promise<Response> {
    try {
      await this.#options.checkHealth();
      return this.#closing ? shuttingDown() : Response.json({ status: "ok" });
    } catch (error) {
      return unavailable(messageOf(error));
    }
  }

  /** Resolves with the message, if the method has one, or with the response that refuses it. */
  async #read(request: Request, peer: Peer, from: string, held: HeldMessage) {
    const { bodyTimeout: timeout = BODY_TIMEOUT_MS } = this.#options;
    const body = await readBody(request, { maxBytes: this.#served.maxMessageBytes, timeout }, held);
    this.#requests.charge(from, body.memory);
    if ("message" in body) return body.message;
    if ("noRoom" in body) return this.#refuse(peer, limitResponse(body.noRoom, 503), body.noRoom.message);
    const { refusal, status } = body;
    // A parse error quotes what was sent.
    const why = refusal.error.code === PARSE_ERROR ? "The body is not JSON." : refusal.error.message;
    return this.#refuse(peer, Response.json(refusal, { status }), why);
  }

  /** Writes a sender who was rejected to the audit log, and returns the response. */
  #reject(response: Response, why: string): Response {
    const reason = reasonOf(response, why);
    if (!response.ok) this.#record({ event: "refused", operation: "authenticate", reason });
    return response;
  }

  /** Writes a refused request to the audit log, and returns the response. */
  #refuse({ owner }: Peer, response: Response, why: string): Response {
    this.#record({ event: "refused", principal: owner, operation: "request", reason: reasonOf(response, why) });
    return response;
  }

  /** The SDK's text may quote the request, so only its code goes to the audit log. */
  async #refusedBySdk(peer: Peer, answer: Response): Promise<Response> {
    // What is not JSON has no code.
    const code = (await answer.clone().json().catch(() => undefined))?.error?.code;
    // A missing capability is in the audit log already.
    return code === MISSING_CAPABILITY ? answer : this.#refuse(peer, answer, `JSON-RPC error ${code}`);
  }

  #record(event: Omit<AuditEvent, "at">): void {
    this.#audit({ at: new Date().toISOString(), ...event });
  }

  async #route({ peer, authInfo }: Sender, request: Request, message?: JSONRPCMessage): Promise<Response> {
    // The message decides, whatever the headers say: 2026-07-28 has no sessions.
    if (!claimsRevision(message) && await isLegacyRequest(request, message)) {
      const call = { request, message, authInfo };
      const id = request.headers.get("mcp-session-id");
      return id === null ? await this.#sessions.begin(peer, call) : await this.#sessions.resume(id, peer, call);
    }
    const exchange: Exchange = { peer, message };
    this.#exchanges.set(request, exchange);
    const respond = (parsedBody?: JSONRPCMessage) => this.#modern.fetch(request, { parsedBody, authInfo });
    // A subscription is not a response that a closing endpoint could wait for.
    if (message && isSubscription(message)) {
      return await this.#subscriptions.answer(peer, message, respond);
    }
    return await this.#answers.track(async (sent) =>
      waitsForJob(this.#served.surface, message)
        ? await this.#late.respond(respond(message), sent, () => void exchange.server?.close())
        : newestProgress(await respond(message), sent)
    );
  }
}

/**
 * Whether a message declares revision 2026-07-28. Then it belongs to no session, and the SDK need not be asked; except for
 * `initialize`, which the SDK inspects more closely.
 */
function claimsRevision(message: JSONRPCMessage | undefined): boolean {
  if (message === undefined || !("method" in message) || message.method === "initialize") return false;
  const { _meta } = message.params ?? {};
  return isObject(_meta) && PROTOCOL_VERSION_META_KEY in _meta;
}

/** Whether a client asks for what belongs to no request, and for no answer. */
function isListening({ method, headers }: Request, message?: JSONRPCMessage): boolean {
  if (method !== "GET") return isSubscription(message);
  return parseEventId(headers.get("last-event-id") ?? "")?.request === undefined;
}

function isSubscription(message: JSONRPCMessage | undefined): boolean {
  return message !== undefined && "method" in message && message.method === "subscriptions/listen";
}

/** The reason of a refusal, for the audit log. */
function reasonOf({ status }: Response, why: string): string {
  return cut(`HTTP ${status} ${why}`.trim(), LONGEST_REASON);
}
