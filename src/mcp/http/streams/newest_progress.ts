/**
 * Event streams of the SDK, for clients that may not read them: the SDK would keep everything.
 *
 * @module
 */
import { AnswerStream } from "./answer_stream.ts";

/** Passes an event stream on, but of waiting progress only the newest. Calls `sent` once the whole response is sent. */
export function newestProgress(response: Response, sent: () => void = () => {}): Response {
  const body = eventsOf(response);
  if (body === null) {
    sent(); // In a moment.
    return response;
  }
  const reader = body.getReader();
  const stream = new AnswerStream({ sent, gone: (reason) => reader.cancel(reason) });
  void stream.pass(reader);
  return new Response(stream.readable, response);
}

/**
 * The body of an event stream, `null` for any other response: to look at the body alone makes Deno send it as a stream,
 * which costs far more.
 */
export function eventsOf(response: Response): ReadableStream<Uint8Array> | null {
  return response.headers.get("content-type")?.startsWith("text/event-stream") ? response.body : null;
}
