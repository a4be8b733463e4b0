/**
 * The SDK's transport of one session, and what that leaves open or to itself: it ends the stream of a request that is
 * cancelled, and tells whether a stream is heard.
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

/** Of how many cancelled requests it is remembered that nothing more comes for them. */
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
      this.#letGo(resumed);
      return await super.handleRequest(request, options);
    }
    const cancelled = response.status === 202 ? cancelledBy(options?.parsedBody) : undefined;
    if (cancelled !== undefined) await this.#end(cancelled);
    return response;
  }

  /** The name of the stream on which the client hears now what belongs to a request; `undefined` while it is broken. */
  openStreamOf(requestId: string | number): string | undefined {
    const stream = this.#streams.ofRequest.get(requestId);
    return this.#streams.open.has(stream) ? stream : undefined;
  }

  /**
   * Ends a stream for a client that comes back for it: the network may have lost its old connection without a word, and
   * until that is noticed the SDK refuses the new one.
   */
  #letGo(stream: string): void {
    if (stream === this.#streams.standalone) return this.closeStandaloneSSEStream();
    for (const [requestId, name] of this.#streams.ofRequest) if (name === stream) this.closeSSEStream(requestId);
  }

  /** 2025-11-25, Cancellation, "Behavior Requirements": what a cancelled request holds is freed, and no response sent. */
  async #end(requestId: string | number): Promise<void> {
    const stream = this.#streams.ofRequest.get(requestId);
    if (stream === undefined) return;
    // What the request says last, that its questions are taken back, still comes on its stream.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.closeSSEStream(requestId);
    // Else who resumes the stream would wait for an answer that never comes.
    this.#streams.ofRequest.delete(requestId);
    remember(this.#cancelled, stream, true, REMEMBERED);
  }
}

/**
 * The official clients resume each stream that ends without a result, be it with an error, and come again when that ends
 * without one, too. A 405 tells them that there is no stream.
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
