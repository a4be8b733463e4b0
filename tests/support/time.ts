/**
 * Fake time that passes by itself.
 *
 * @module
 */
import { newTaskId, timeOfTaskId } from "../../src/ids.ts";
import { turn } from "../../src/waiting.ts";
import { FakeTime } from "../../tools/std.ts";
// What the code imports only once it needs it: time would pass while it loads.
import "../../src/libraries/ajv.ts";
import "../../src/schema/pattern_cost.ts";

/** After so many timers a test fails: what it waits for never comes. */
const MAX_TIMERS = 1_000;

/** So many times in a row there may be no timer for which time could pass. */
const MAX_IDLE = 200_000;

/** For so many turns of the event loop, which fake time leaves as they are, everything may go on before time passes. */
const TURNS = 5;

/** Lets time pass, from one timer to the next, until a promise has settled; and no further. */
export async function pass<T>(time: FakeTime, promise: Promise<T>): Promise<T> {
  let settled = false;
  const settle = () => void (settled = true);
  promise.then(settle, settle);
  for (let [timers, idle] = [0, 0]; timers <= MAX_TIMERS && idle < MAX_IDLE; idle++) {
    for (let turns = 0; turns < TURNS && !settled; turns++) await turn();
    if (settled) return await promise;
    if (time.next()) [timers, idle] = [timers + 1, 0];
  }
  throw new Error("What the test waits for has never come.");
}

/** The most that may pass by itself, in ms. A test with fake time is over at once even if it waits for a day. */
const MAX_MS = 120_000;

/**
 * Fake time that passes from one timer to the next, whenever nothing else is left to do, until it is disposed of. For tests
 * that wait for nothing outside their process: time would not wait for an answer over a network. It stops where a test waits
 * for what never comes, and Deno says so. Disposal throws if too much time has passed, or a timer is left: the sanitizer of
 * Deno does not see fake ones.
 */
export class PassingTime implements AsyncDisposable {
  // Earlier fake time of this process may have gone further: ids of tasks count on a time that does not go back.
  readonly #time = new FakeTime(Math.max(Date.now(), timeOfTaskId(newTaskId())));
  #end = this.#time.now + MAX_MS;
  #isOver = false;
  readonly #passing = this.#pass();

  /** Lets so many ms pass at once, and calls what is due by then. They do not count as time that has passed by itself. */
  skip(ms: number): void {
    this.#end += ms;
    this.#time.tick(ms);
  }

  async #pass(): Promise<void> {
    for (let idle = 0; !this.#isOver && this.#time.now < this.#end && idle < MAX_IDLE; idle++) {
      for (let turns = 0; turns < TURNS; turns++) await turn();
      if (!this.#isOver && this.#time.next()) idle = 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#passing;
    const isOverdue = this.#time.now >= this.#end;
    const isLeft = this.#time.next();
    this.#time.restore();
    if (isLeft) throw new Error("A timer is left.");
    if (isOverdue) throw new Error(`More than ${MAX_MS} ms have passed.`);
  }
}
