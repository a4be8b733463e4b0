/**
 * The SDK's transport of one session, extended: it ends the stream of a cancelled request, and tells which streams the
 * client reads.
 *
 * @module
 */
import {
  type HandleRequestOptions,
  INTERNAL_ERROR,
  INVALID_REQUEST,
  type JSONRPCMessage,
  type TransportSendOptions,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { remember } from "../../../recent.ts";
import type { StreamTransport, Substitute } from "../../host.ts";
import { type EventName, parseEventId, type StreamRequest } from "./event_ids.ts";
import type { SessionEvents } from "./events.ts";
import { cancelledBy, refuse, RESUMED_ELSEWHERE, resumedElsewhere } from "../../messages/message.ts";
import { streamsOf, type TransportStreams } from "../../sdk_internals.ts";

/** How many streams of cancelled requests are remembered as ended. */
const REMEMBERED = 1_000;

/**
 * After how long a request is replaced, its client is told how, in ms: most calls are over by then. As long as a call waits
 * before others may take its task over.
 */
const TELL_MS = 250;

/**
 * How long a client waits before it resumes a stream, in ms. The official clients try twice, and then wait for ever or for
 * their time limit: a server that is started again needs a while.
 */
const RETRY_MS = 5_000;

/**
 * The HTTP client of Java, in `User-Agent`. Up to version 2.0, Java's MCP SDK fails at the line that says how long to wait,
 * and so cannot even begin a session. Its other requests do not name the SDK.
 */
const FAILS_AT_RETRY = /^Java-http-client\//;

/** The callbacks of a session, and what it sends. */
export interface SessionTransportOptions {
  readonly sessionIdGenerator: () => string;
  readonly onsessioninitialized: () => Promise<void>;
  readonly onsessionclosed: () => Promise<void>;
  readonly eventStore: SessionEvents;
  /** Called with the id of a request with which this process goes on. The process that had it may still be alive. */
  readonly onrequestresumed: (requestId: string | number) => void;
}

/** What comes with a request: its message is parsed already. */
type MessageOptions = HandleRequestOptions & { readonly parsedBody?: JSONRPCMessage };

export class SessionTransport extends WebStandardStreamableHTTPServerTransport implements StreamTransport {
  readonly #events: SessionEvents;
  readonly #onResumed: (requestId: string | number) => void;
  readonly #streams: TransportStreams = streamsOf(this);
  /** The streams of cancelled requests. */
  readonly #cancelled = new Map<string, true>();
  /** What can replace the requests that are worked on, by their ids, and the timer that tells the client. */
  readonly #substitutes = new Map<
    string | number,
    { readonly request: Substitute; readonly timer: ReturnType<typeof setTimeout> }
  >();

  /** When the client has closed the streams of requests that are worked on, in ms since the epoch. */
  readonly #closedAt = new Map<string | number, number>();

  /** The messages that are being passed on. */
  readonly #passing = new Set<Promise<Response>>();
  /** The revision of the session, as the client says with each request after the first. */
  #revision = "";

  constructor(options: SessionTransportOptions) {
    super({ ...options, retryInterval: RETRY_MS });
    this.#events = options.eventStore;
    this.#onResumed = options.onrequestresumed;
    this.#events.requestOf = (stream) => this.#requestOf(stream);
  }

  override async handleRequest(request: Request, options?: MessageOptions): Promise<Response> {
    this.#revision = request.headers.get("mcp-protocol-version") ?? this.#revision;
    this.#streams.setRetry(FAILS_AT_RETRY.test(request.headers.get("user-agent") ?? "") ? undefined : RETRY_MS);
    const event = parseEventId(request.headers.get("last-event-id") ?? "");
    const { stream: resumed, last = false } = event ?? {};
    if (request.method === "GET" && event !== undefined) {
      if (last || this.#cancelled.has(event.stream)) return nothingMore();
      if (await this.#isLost(event)) return await this.#replace(event, request, options);
    }
    const response = await this.#pass(request, options);
    if (response.status === 409 && resumed !== undefined) {
      this.#closeStream(resumed);
      return await super.handleRequest(request, options);
    }
    const cancelled = response.status === 202 && options?.parsedBody && cancelledBy(options.parsedBody);
    if (cancelled) await this.#end(cancelled.id, cancelled.reason);
    return response;
  }

  /** Passes a request on. A cancellation may come with its call, once their session is restored, and must not overtake it. */
  async #pass(request: Request, options?: MessageOptions): Promise<Response> {
    if (options?.parsedBody === undefined) return await super.handleRequest(request, options);
    // Whoever sent them gets their errors.
    if (cancelledBy(options.parsedBody)) await Promise.allSettled(this.#passing);
    const passing = super.handleRequest(request, options);
    this.#passing.add(passing);
    return await passing.finally(() => this.#passing.delete(passing));
  }

  /** Receives a message of the client that has reached another process. */
  receive(message: JSONRPCMessage): void {
    this.onmessage?.(message);
    const cancelled = cancelledBy(message);
    if (cancelled) void this.#end(cancelled.id, cancelled.reason);
  }

  openStreamOf(requestId: string | number): string | undefined {
    const stream = this.#streams.ofRequest.get(requestId);
    return this.#streams.open.has(stream) ? stream : undefined;
  }

  closedAt(requestId: string | number): number | undefined {
    return this.openStreamOf(requestId) === undefined ? this.#closedAt.get(requestId) ?? 0 : undefined;
  }

  /**
   * The response has ended to an HTTP request that brought a message or resumed the stream of an earlier one. If that one is
   * still worked on, its client has closed the stream.
   */
  responseEnded({ headers }: Request, message: JSONRPCMessage | undefined, now: number): void {
    const resumed = parseEventId(headers.get("last-event-id") ?? "");
    const id = message && "id" in message ? message.id : resumed && this.#requestOf(resumed.stream)?.id;
    if (id !== undefined && this.#streams.ofRequest.has(id)) this.#closedAt.set(id, now);
  }

  substitute(requestId: string | number, request: Substitute): void {
    this.#forget(requestId);
    const timer = setTimeout(() => void this.#sendId(this.openStreamOf(requestId)), TELL_MS);
    this.#substitutes.set(requestId, { request, timer });
  }

  async leave(requestId: string | number): Promise<void> {
    await this.#sendId(this.openStreamOf(requestId)); // It may not know yet what replaces the request there.
    this.receive(resumedElsewhere(requestId));
  }

  override send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (!("method" in message) && message.id !== undefined) this.#forget(message.id);
    return super.send(message, options);
  }

  /** Closes the session in this process. */
  override close(): Promise<void> {
    for (const requestId of [...this.#substitutes.keys()]) this.#forget(requestId);
    return super.close();
  }

  async #sendId(stream: string | undefined): Promise<void> {
    // If the stream has just been closed, its client has the id of an earlier event.
    if (stream !== undefined) await this.#streams.sendId(stream, this.#revision).catch(() => {});
  }

  #forget(requestId: string | number): void {
    clearTimeout(this.#substitutes.get(requestId)?.timer);
    this.#substitutes.delete(requestId);
    this.#closedAt.delete(requestId);
  }

  #requestOf(stream: string): StreamRequest | undefined {
    const [id] = this.#streams.ofRequest.entries().find(([, name]) => name === stream) ?? [];
    return id === undefined ? undefined : { id, substitute: this.#substitutes.get(id)?.request };
  }

  /** Whether a client waits on a stream for a response that this process would never send. */
  async #isLost({ id, stream, request }: EventName): Promise<boolean> {
    if (request === undefined || this.#streams.ofRequest.values().some((name) => name === stream)) return false;
    // If the store fails, so does the resuming, and the client tries again.
    return !await this.#events.isAnswered({ id, stream }).catch(() => true);
  }

  /** Resumes the stream of a lost request, and answers there. */
  async #replace(
    { stream, request: lost }: EventName,
    request: Request,
    options?: MessageOptions,
  ): Promise<Response> {
    if (lost === undefined) return await super.handleRequest(request, options);
    const { id, substitute } = lost;
    this.#streams.ofRequest.set(id, stream); // Otherwise the SDK would end the stream.
    const response = await super.handleRequest(request, options);
    if (!response.ok) this.#streams.ofRequest.delete(id);
    else if (substitute) {
      this.#onResumed(id);
      // The client may have to resume this stream, too: it forgets the id of an event that came on an earlier one.
      void this.#sendId(stream);
      this.onmessage?.({ jsonrpc: "2.0", id, ...substitute }, { authInfo: options?.authInfo, request });
    } else await this.send({ jsonrpc: "2.0", id, error: { code: INTERNAL_ERROR, message: LOST } });
    return response;
  }

  /**
   * Ends a stream for a client that resumes it. Its old connection may be lost without either side knowing, and until that is
   * noticed the SDK refuses the new one.
   */
  #closeStream(stream: string): void {
    if (stream === this.#streams.standalone) return this.closeStandaloneSSEStream();
    for (const [requestId, name] of this.#streams.ofRequest) if (name === stream) this.closeSSEStream(requestId);
  }

  /** 2025-11-25, Cancellation, "Behavior Requirements": a cancelled request frees what it holds, and gets no response. */
  async #end(requestId: string | number, reason: unknown): Promise<void> {
    const stream = this.#streams.ofRequest.get(requestId);
    if (stream === undefined) return;
    // The last messages of the request, which withdraw its questions, are still sent on its stream.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.closeSSEStream(requestId);
    this.#forget(requestId);
    // Otherwise a client that resumes the stream would wait for a response that never comes.
    this.#streams.ofRequest.delete(requestId);
    if (reason !== RESUMED_ELSEWHERE) remember(this.#cancelled, stream, true, REMEMBERED);
  }
}

/** What a client reads whose request was lost. A call of a job that had waited for long enough to be marked is replaced instead. */
const LOST = "This server does not have the request: it was restarted, or another process received it. Send it again.";

/**
 * The official clients resume every stream that ends without a result, even with an error, again and again. A 405 tells them
 * that there is no stream.
 */
function nothingMore(): Response {
  const error = refuse(
    INVALID_REQUEST,
    "Cannot resume the stream: its request was answered or cancelled. Nothing more comes on it.",
  );
  return Response.json(error, { status: 405, headers: { allow: "POST, DELETE" } });
}
