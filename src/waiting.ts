/**
 * A wait that does not last for ever.
 *
 * @module
 */

/** Resolves with whether `done` has resolved within `ms`. Rejects if it rejects before. */
export async function doneWithin(done: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeUp = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), ms));
  try {
    return await Promise.race([done.then(() => true), timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
