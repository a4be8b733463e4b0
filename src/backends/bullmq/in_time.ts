/**
 * Answers that come in time.
 *
 * @module
 */

/** What is added once the time is up, in ms, for an answer that is there and has not been looked at: a busy process. */
const SECOND_LOOK_MS = 50;

/** Waits for an answer; rejects with `why` if it does not come within `ms`. */
export async function inTime<T>(answer: Promise<T>, why: string, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error(why));
    timer = setTimeout(() => timer = setTimeout(giveUp, SECOND_LOOK_MS), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
