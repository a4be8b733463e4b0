/**
 * What counting has in common on all backends.
 *
 * @module
 */
import type { JobCounts } from "../contract/operator.ts";
import { isFinished, type TaskInfo } from "../task.ts";

/** The counts of a job without tasks. */
export const NO_TASKS: JobCounts["counts"] = {
  PENDING: 0,
  RUNNING: 0,
  RETRYING: 0,
  INPUT_REQUIRED: 0,
  COMPLETED: 0,
  FAILED: 0,
  CANCELLED: 0,
};

/** Whether no worker holds a task while it waits. */
export function isParked(task: TaskInfo): boolean {
  return !isFinished(task) && task.parked === true;
}

/**
 * How many tasks at the head of a queue are read, of each priority, to find the one that has waited longest: before it there
 * may be older tasks that have just been answered or handed back.
 */
export const HEADS = 10;

/** The most tasks that are read which are due, but that no worker has made ready: those that have been due for longest. */
export const MAX_DUE = 100;

/** Since when the longest-waiting of these ready tasks has waited, in ms since the epoch. Nothing changes a task that is ready. */
export function oldestOf(ready: readonly TaskInfo[]): number | undefined {
  const since = ready.map((task) => Math.max(task.updatedAt, isFinished(task) ? 0 : task.dueAt ?? 0));
  return since.length === 0 ? undefined : Math.min(...since);
}
