/**
 * How long a finished task is kept. KV deletes what has expired without notice. So tasks that expire at about the same
 * time expire together and share a counter, which ends with them.
 *
 * @module
 */
import { type FinishedTask, isFinished, type TaskInfo, TOMBSTONE_MS } from "../../../task.ts";
import { expiryIn } from "../value_limits.ts";

/** The time for which a task is kept has at least so many parts: for each status, a job has at most twice as many counters. */
const PARTS = 32;

/**
 * Until when KV keeps a finished task, in ms since the epoch. In the hour after its result has expired, its owner gets
 * "expired". After that, it may be kept longer by up to a 32nd of the whole time.
 */
export function retainedUntil({ finishedAt, resultTtl }: FinishedTask): number {
  const kept = expiryIn(resultTtl + TOMBSTONE_MS);
  // A power of two, so that tasks of about the same lifetime share a counter.
  const step = 2 ** Math.floor(Math.log2(kept / PARTS));
  return Math.ceil((finishedAt + kept) / step) * step;
}

/** The expiry to give to KV with the write that finishes a task, in ms; `undefined` for a task that is not finished. */
export function expiryOf(info: TaskInfo): number | undefined {
  return isFinished(info) ? expiryIn(retainedUntil(info) - info.finishedAt) : undefined;
}
