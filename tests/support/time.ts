/**
 * Fake time that passes by itself.
 *
 * @module
 */
import type { FakeTime } from "../../tools/std.ts";

/** After so many timers a test fails: what it waits for never comes. */
const MOST_TIMERS = 1_000;

/** For so many turns of the event loop everything may go on without a timer before time passes. */
const TURNS = 5;

/** Lets time pass, from one timer to the next, until a promise has settled; and no further. */
export async function pass<T>(time: FakeTime, promise: Promise<T>): Promise<T> {
  let settled = false;
  const settle = () => void (settled = true);
  promise.then(settle, settle);
  for (let timers = 0;; timers++) {
    for (let turn = 0; turn < TURNS && !settled; turn++) await time.runMicrotasks();
    if (settled) return await promise;
    if (timers > MOST_TIMERS) throw new Error(`It has not come after ${MOST_TIMERS} timers.`);
    time.next();
  }
}
