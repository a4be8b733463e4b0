/**
 * Ends an event stream when what its client was let in with does: it must not hear more than a new request would be told.
 *
 * @module
 */
import { LONGEST_TIMER_MS } from "../../../waiting.ts";

/**
 * Passes an event stream on until a time, in ms since the epoch; where none is given, to its end. The client finds that its
 * connection has ended, and may come back with a new token.
 */
export function untilExpired(
  response: Response,
  expiresAt: number | undefined,
  now: () => number = Date.now,
): Response {
  const { body, headers } = response;
  if (expiresAt === undefined || body === null) return response;
  if (!headers.get("content-type")?.startsWith("text/event-stream")) return response;
  let target: TransformStreamDefaultController<Uint8Array>;
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => void (target = controller),
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    const left = expiresAt - now();
    if (left > 0) timer = setTimeout(wait, Math.min(left, LONGEST_TIMER_MS));
    else target.terminate(); // The source is cancelled then.
  };
  // How it ends otherwise is told to the client and to the source alike.
  body.pipeTo(writable).catch(() => {}).finally(() => clearTimeout(timer));
  wait();
  return new Response(readable, response);
}
