/**
 * How many more tasks of a job with limits may begin.
 *
 * @module
 */
import type { JobLimits } from "../../backend.ts";

/** How many tasks of a job have begun in its current window. */
export interface RateWindow {
  /** When the first one of this window began, in ms since the epoch. */
  readonly since: number;
  /** How many have begun in it. */
  readonly count: number;
}

/** A job of which no task has begun. */
export const EMPTY_WINDOW: RateWindow = { since: 0, count: 0 };

/** How many more may begin now, while workers hold `held`; `pause`: how long until the rate allows another, in ms. */
export function capacityOf(
  { concurrency = Infinity, rateLimit }: JobLimits,
  held: number,
  begun: RateWindow,
  now: number,
): { readonly free: number; readonly pause?: number } {
  const slots = Math.max(0, concurrency - held);
  if (rateLimit === undefined) return { free: slots };
  const { since, count } = windowAt(rateLimit.per, begun, now);
  const rest = Math.max(0, rateLimit.max - count);
  return rest > 0 ? { free: Math.min(slots, rest) } : { free: 0, pause: since + rateLimit.per - now };
}

/**
 * What is known of a job after a search for up to `max` of its tasks while `free` more might begin. `mayHaveLeft`: the search
 * has found as many as it was for, so there may be more. If the rate is used up, the next search says until when.
 */
export function moreOf(
  mayHaveLeft: boolean,
  max: number,
  free: number,
  { rateLimit }: JobLimits,
): { readonly more: boolean; readonly full: boolean } {
  return {
    more: mayHaveLeft && free > 0 && (free > max || rateLimit !== undefined),
    full: mayHaveLeft && free <= max,
  };
}

/** What has begun after one more claim. */
export function withClaim({ rateLimit }: JobLimits, begun: RateWindow, now: number): RateWindow {
  if (rateLimit === undefined) return EMPTY_WINDOW;
  const { since, count } = windowAt(rateLimit.per, begun, now);
  return { since, count: count + 1 };
}

/**
 * The window of a time. It is a new one if the last one is over, or if the clock was set back by more than a window. A claim
 * that read the time a moment before another one began the window belongs to it, too.
 */
function windowAt(per: number, begun: RateWindow, now: number): RateWindow {
  return Math.abs(now - begun.since) < per ? begun : { since: now, count: 0 };
}
