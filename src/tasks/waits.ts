/**
 * The message of a task that has waited for a while without a worker.
 *
 * @module
 */
import type { TaskInfo } from "../task.ts";

/** How long a task waits before its message says that no worker is running, in ms. */
const QUIET_MS = 3_000;

/** Whether a task has been due for a while. `now` is in ms since the epoch. */
export function waitsLong(task: TaskInfo, now: number): boolean {
  if (task.status !== "PENDING" && task.status !== "RETRYING") return false;
  return now - Math.max(task.updatedAt, task.dueAt ?? 0) >= QUIET_MS;
}

/** The task with a message that no worker for its job is running. */
export function saidToWait(task: TaskInfo): TaskInfo {
  const waits = `Waiting: no worker for ${task.job} is running. It starts as soon as one does.`;
  // The reason for the retry stays in the message.
  const why = task.status === "RETRYING" ? task.message?.replace(/\.?$/, ". ") ?? "" : "";
  return { ...task, message: `${why}${waits}` };
}
