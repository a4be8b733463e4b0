/**
 * Tells event streams from other responses.
 *
 * @module
 */

/**
 * The body of an event stream, `null` for any other response: to look at the body alone makes Deno send it as a stream,
 * which costs far more.
 */
export function eventsOf(response: Response): ReadableStream<Uint8Array> | null {
  return response.headers.get("content-type")?.startsWith("text/event-stream") ? response.body : null;
}
