/**
 * Cuts off a client that has stopped reading its stream: what is pushed to it would pile up for as long as the connection
 * seems to be open.
 *
 * @module
 */

import { eventsOf } from "./events_of.ts";

/** A stalled client is at least this many chunks behind. */
const MAX_BEHIND = 256;

/** A stalled client has read nothing for this long, in ms. Clients that read slowly, or get much at once, may fall behind. */
const STALLED_MS = 60_000;

/**
 * Passes an event stream on until its client stalls. The client may come back with `Last-Event-ID`. Calls `sent` once all of
 * a response is.
 */
export function untilStalled(
  response: Response,
  now: () => number = Date.now,
  sent: () => void = () => {},
): Response {
  const body = eventsOf(response);
  if (body === null) {
    sent(); // In a moment.
    return response;
  }
  let source: WritableStreamDefaultController;
  let target: ReadableStreamDefaultController<Uint8Array>;
  const readable = new ReadableStream<Uint8Array>({
    start: (controller) => void (target = controller),
    cancel: (reason) => {
      sent();
      source.error(reason);
    },
  }, { highWaterMark: 0 });
  let readAt = now();
  let behind = 0;
  const writable = new WritableStream<Uint8Array>({
    start: (controller) => void (source = controller),
    write(chunk) {
      const left = -(target.desiredSize ?? 0);
      if (left < behind) readAt = now();
      if (left >= MAX_BEHIND && now() - readAt >= STALLED_MS) {
        const error = new Error(`The client is ${left} events behind, and has read none for a minute.`);
        target.error(error);
        throw error;
      }
      target.enqueue(chunk);
      behind = left + 1;
    },
    close: () => target.close(),
    abort: (reason) => target.error(reason),
  });
  // Both the client and the source learn how it ends.
  body.pipeTo(writable).catch(() => {}).finally(sent);
  return new Response(readable, response);
}
