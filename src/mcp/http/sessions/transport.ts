/**
 * The SDK's transport of one session, extended: it ends the stream of a cancelled request, and tells which streams the
 * client reads.
 *
 * @module
 */
import {
  type HandleRequestOptions,
  INVALID_REQUEST,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { isObject } from "../../../json.ts";
import { remember } from "../../../recent.ts";
import type { StreamTransport } from "../../host.ts";
import { parseEventId } from "./events.ts";
import { refuse } from "../../messages/message.ts";
import { streamsOf, type TransportStreams } from "../../sdk_internals.ts";

/** How many streams of cancelled requests are remembered as ended. */
const REMEMBERED = 1_000;

/** One session over HTTP. */
export class SessionTransport extends WebStandardStreamableHTTPServerTransport implements StreamTransport {
  readonly #streams: TransportStreams = streamsOf(this);
  /** The streams of cancelled requests. */
  readonly #cancelled = new Map<string, true>();

  /** Answers a request. */
  override async handleRequest(request: Request, options?: HandleRequestOptions): Promise<Response> {
    const { stream: resumed, last = false } = parseEventId(request.headers.get("last-event-id") ?? "") ?? {};
    if (request.method === "GET" && resumed !== undefined && (last || this.#cancelled.has(resumed))) {
      return nothingMore();
    }
    const response = await super.handleRequest(request, options);
    if (response.status === 409 && resumed !== undefined) {
      this.#closeStream(resumed);
      return await super.handleRequest(request, options);
    }
    const cancelled = response.status === 202 ? cancelledBy(options?.parsedBody) : undefined;
    if (cancelled !== undefined) await this.#end(cancelled);
    return response;
  }

  /** The name of the stream on which the client now receives what belongs to a request; `undefined` while it is broken. */
  openStreamOf(requestId: string | number): string | undefined {
    const stream = this.#streams.ofRequest.get(requestId);
    return this.#streams.open.has(stream) ? stream : undefined;
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
  async #end(requestId: string | number): Promise<void> {
    const stream = this.#streams.ofRequest.get(requestId);
    if (stream === undefined) return;
    // The last messages of the request, which withdraw its questions, are still sent on its stream.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.closeSSEStream(requestId);
    // Otherwise a client that resumes the stream would wait for a response that never comes.
    this.#streams.ofRequest.delete(requestId);
    remember(this.#cancelled, stream, true, REMEMBERED);
  }
}

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

/** The id of the request that a message cancels. */
function cancelledBy(message: unknown): string | number | undefined {
  if (!isObject(message) || message.method !== "notifications/cancelled" || !isObject(message.params)) return undefined;
  const id = message.params.requestId;
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}
