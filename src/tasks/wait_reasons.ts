/**
 * The message of a task that waits says why: for a later time, for its turn, or because no worker is running.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import type { RegisteredJob } from "../registry.ts";
import { isFinished, type LiveTask, type TaskInfo } from "../task.ts";

/** How long a task waits before its message says what for, and how far ahead a start is named, in ms. */
const QUIET_MS = 3_000;

/** How long a running task reports nothing before each read of it looks for its worker, in ms. */
const SILENT_MS = 30_000;

/**
 * Returns the task. If it waits to start, or its worker is gone, its message says when it starts, or what it waits for. `jobs`
 * are those that the server offers, by name. `now` is in ms since the epoch.
 */
export async function explainWait(
  task: TaskInfo,
  backend: Pick<Backend, "hasWorker">,
  jobs: ReadonlyMap<string, readonly RegisteredJob[]>,
  now: number,
): Promise<TaskInfo> {
  if (isFinished(task) || task.status === "INPUT_REQUIRED") return task;
  const { updatedAt, job, status, dueAt = 0, parked } = task;
  if (parked && now - dueAt < QUIET_MS) return task; // Its message says until when it sleeps.
  if (status === "RUNNING") {
    if (now - updatedAt < SILENT_MS || await hasWorker(job, backend, jobs.get(job))) return task;
    return withReason(
      task,
      `Waiting: its worker is gone, and no other one for ${job} is running. It runs again as soon as one is.`,
    );
  }
  if (dueAt - now >= QUIET_MS) {
    const what = status === "RETRYING" ? "The next attempt" : "It";
    return withReason(task, `${what} starts at ${new Date(dueAt).toISOString()}.`);
  }
  if (now - Math.max(updatedAt, dueAt) < QUIET_MS) return task;
  return withReason(
    task,
    await hasWorker(job, backend, jobs.get(job))
      ? "Waiting for its turn: other tasks come first, or its job is paused or at a limit."
      : `Waiting: no worker for ${job} is running. It starts as soon as one does.`,
  );
}

/** Whether a queue of a job has a worker: one to which this server sends its tasks, if it offers the job. */
async function hasWorker(
  job: string,
  backend: Pick<Backend, "hasWorker">,
  offered: readonly Pick<RegisteredJob, "route">[] = [{}],
): Promise<boolean> {
  for (const { route } of offered) if (await backend.hasWorker(job, route)) return true;
  return false;
}

/** The task with this message; the reason for a retry stays before it. */
function withReason(task: LiveTask, reason: string): TaskInfo {
  const why = task.status === "RETRYING" ? task.message?.replace(/\.?$/, ". ") ?? "" : "";
  return { ...task, message: `${why}${reason}` };
}
