/**
 * Waits that end after a time, with a signal, or with what they wait for.
 *
 * @module
 */

/** The longest time that a timer can wait, in ms; a longer one would fire at once. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1;

/** The latest time that a `Date` can have, in ms since the epoch. */
export const LATEST_DATE_MS = 8.64e15;

/** The longest wait whose end a `Date` can still represent, in ms. */
export const LONGEST_WAIT_MS: number = LATEST_DATE_MS / 2;

/**
 * Resolves with whether `done` has resolved within `ms`, and before the signal aborts, if one is given. Rejects if it rejects
 * before.
 */
export async function doneWithin(done: Promise<unknown>, ms: number, signal?: AbortSignal): Promise<boolean> {
  const { promise: timeUp, resolve } = Promise.withResolvers<false>();
  const end = () => resolve(false);
  const timer = setTimeout(end, signal?.aborted ? 0 : ms);
  const forget = signal && onAbort(signal, end);
  try {
    return await Promise.race([done.then(() => true), timeUp]);
  } finally {
    clearTimeout(timer);
    forget?.();
  }
}

/** What is to be called for each signal, and the listener that does so. */
const listeners = new WeakMap<AbortSignal, { readonly acts: Set<() => void>; readonly listener: () => void }>();

/**
 * Calls `act` once the signal aborts, until the returned function is called. For signals with which thousands of calls may
 * wait: the listeners of a signal are a list, which is searched for each one that is added. While nothing is to be called,
 * the signal has no listener: with one, a signal of `AbortSignal.any` lives as long as the signals that it depends on.
 */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  let known = listeners.get(signal);
  if (known === undefined) {
    const acts = new Set<() => void>();
    known = { acts, listener: () => acts.forEach((each) => each()) };
    listeners.set(signal, known);
  }
  const { acts, listener } = known;
  if (acts.size === 0) signal.addEventListener("abort", listener, { once: true });
  acts.add(act);
  return () => {
    if (acts.delete(act) && acts.size === 0) signal.removeEventListener("abort", listener);
  };
}

/** Settles as the promise does, unless the signal aborts first or has aborted already: then rejects with its reason. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Resolves once all code has run that can go on at this moment. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Resolves after `ms`, or as soon as the signal aborts. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  if (signal) await unlessAborted(over, signal).catch(() => clearTimeout(timer)); // It has aborted.
  else await over;
}

/** The pauses before a failed write is tried again, in ms. */
export const PAUSES_MS: readonly number[] = [200, 1_000, 2_000, 4_000];

/**
 * Calls `act`, and again after each of the pauses, in ms, while it fails. Resolves with whether it has succeeded, or has
 * failed with an error for which `isOver` is true. Otherwise `failed` receives the error of the last try.
 */
export async function tryAgain(
  act: () => Promise<unknown>,
  isOver: (error: unknown) => boolean,
  failed: (error: unknown) => void,
  pauses: readonly number[] = PAUSES_MS,
): Promise<boolean> {
  for (const ms of [...pauses, undefined]) {
    try {
      await act();
      return true;
    } catch (error) {
      if (isOver(error)) return true;
      if (ms === undefined) failed(error);
      else await pause(ms);
    }
  }
  return false;
}

/**
 * What a job's code calls: code that does not await it never handles its error, and an unhandled rejection would end the
 * worker.
 */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {}); // Code that awaits it gets it.
  return promise;
}
