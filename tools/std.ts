/**
 * The only import of the standard library for tests, examples and tools. Where JSR can be reached these are the real @std
 * functions; where it cannot, node's own stand in under the same names. `src/` uses none of them.
 *
 * Keep the set narrow. The types are written down here, for without JSR those of @std are unknown.
 *
 * @module
 */
type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

interface Std {
  assert(condition: unknown, message?: string): asserts condition;
  assertEquals<T>(actual: T, expected: T, message?: string): void;
  assertMatch(actual: string, expected: RegExp, message?: string): void;
  assertStringIncludes(actual: string, expected: string, message?: string): void;
  assertThrows<E extends Error>(run: () => unknown, kind: ErrorClass<E>, messageIncludes?: string): E;
  assertRejects<E extends Error>(
    run: () => PromiseLike<unknown>,
    kind: ErrorClass<E>,
    messageIncludes?: string,
  ): Promise<E>;
}

/** Time that passes only when a test says so. It fakes `Date`, the timers and `AbortSignal.timeout`, not `performance`. */
export interface FakeTime extends Disposable {
  /** The time, in ms since the epoch. */
  readonly now: number;
  /** Lets so many ms pass: what is due by then runs, in order. */
  tick(ms?: number): void;
  /** Lets all that can go on without a timer do so, and then so many ms pass. */
  tickAsync(ms?: number): Promise<void>;
  /** Lets time pass until the next timer is due, and runs it. Returns whether there was one. */
  next(): boolean;
  /** Lets all that can go on without a timer do so, and then time pass as `next` does. */
  nextAsync(): Promise<boolean>;
  /** Lets all that can go on without a timer do so. */
  runMicrotasks(): Promise<void>;
  /** Ends it, as its disposal does. */
  restore(): void;
}

interface Time {
  /** Fakes time from now, or from a start in ms since the epoch. Throws while time is faked. */
  readonly FakeTime: new (start?: number) => FakeTime;
}

const offline = () => import("./offline/std.ts");
const [std, time]: readonly [Std, Time] = await Promise.all([
  import("@std/assert").catch(offline),
  import("@std/testing/time").catch(() => import("./offline/time.ts")),
]);

export const assert: Std["assert"] = std.assert;
export const assertEquals: Std["assertEquals"] = std.assertEquals;
export const assertMatch: Std["assertMatch"] = std.assertMatch;
export const assertStringIncludes: Std["assertStringIncludes"] = std.assertStringIncludes;
export const assertThrows: Std["assertThrows"] = std.assertThrows;
export const assertRejects: Std["assertRejects"] = std.assertRejects;
export const FakeTime: Time["FakeTime"] = time.FakeTime;
