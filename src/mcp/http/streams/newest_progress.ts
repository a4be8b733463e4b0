/**
 * Event streams of the SDK, for clients that may not read them: the SDK would keep everything.
 *
 * @module
 */
import { AnswerStream } from "./answer_stream.ts";
import { eventsOf } from "./events_of.ts";

/**
 * Passes an event stream on, but of waiting progress only the newest. Calls `sent` once the whole response is sent. With
 * `now`, a client that stalls is cut off, and may come back with `Last-Event-ID`.
 */
export function newestProgress(response: Response, sent: () => void = () => {}, now?: () => number): Response {
  const body = eventsOf(response);
  if (body === null) {
    sent(); // In a moment.
    return response;
  }
  const reader = body.getReader();
  const stream = new AnswerStream({ sent, gone: (reason) => reader.cancel(reason) }, now);
  void stream.pass(reader);
  return new Response(stream.readable, response);
}
