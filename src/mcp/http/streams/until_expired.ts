/**
 * Ends an event stream when the token of its client expires: the client must not receive more than a new request would.
 *
 * @module
 */
import { eventsOf } from "./events_of.ts";

/** How long a wait lasts at most, in ms: a timer does not notice that the clock is set, or that the machine sleeps. */
const LONGEST_MS = 60_000;

/**
 * Passes an event stream on until `expiresAt`, in ms since the epoch, or to its end if that is not given. The client sees
 * its connection end, and may come back with a new token.
 */
export function untilExpired(response: Response, expiresAt: number | undefined): Response {
  const body = expiresAt === undefined ? null : eventsOf(response);
  if (expiresAt === undefined || body === null) return response;
  let target: TransformStreamDefaultController<Uint8Array>;
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => void (target = controller),
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    const left = expiresAt - Date.now();
    if (left > 0) timer = setTimeout(wait, Math.min(left, LONGEST_MS));
    else target.terminate(); // This cancels the source.
  };
  // Both the client and the source learn how it ends otherwise.
  body.pipeTo(writable).catch(() => {}).finally(() => clearTimeout(timer));
  wait();
  return new Response(readable, response);
}
