/**
 * How calls wait for their task, and what happens to the work when the caller no longer waits.
 *
 * @module
 */
import { TaskFinished, TaskNotFound } from "../errors.ts";
import type { RegisteredJob } from "../registry.ts";
import { isFinished, type TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { tryAgain } from "../waiting.ts";
import { type CallContext, CallerGone, endsWork } from "./surface.ts";

/**
 * Waits up to `ms` for a task to end, or for a change after which `stays` is false, and resolves with its newest state. With
 * 0 ms it resolves at once. Rejects with the reason of the call's signal once that aborts.
 */
export async function waitWhile(
  stays: (task: TaskInfo) => boolean,
  task: TaskInfo,
  ms: number,
  tasks: Tasks,
  { signal, onChange }: Pick<CallContext, "signal" | "onChange">,
): Promise<TaskInfo> {
  if (ms <= 0 || isFinished(task) || !stays(task)) return task;
  let newest: TaskInfo = task;
  const enough = new AbortController();
  const timer = setTimeout(() => enough.abort(), ms);
  try {
    return await tasks.finish(task, AbortSignal.any([signal, enough.signal]), (now) => {
      newest = now;
      onChange?.(now);
      if (!stays(now)) enough.abort();
    });
  } catch (error) {
    if (enough.signal.aborted && !signal.aborted) return newest;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Starts the task of a call with `begin`, and waits for it with `wait`. If the call's signal aborts first, the task is
 * cancelled, or goes on, as the registration says. The backend stays open until that is done.
 */
export function waitForCall<T>(
  registered: RegisteredJob,
  tasks: Tasks,
  { signal }: CallContext,
  begin: () => Promise<TaskInfo>,
  wait: (task: TaskInfo) => Promise<T>,
): Promise<T> {
  const run = async () => {
    const task = await begin();
    try {
      return await wait(task);
    } catch (error) {
      if (signal.aborted && endsWork(registered, signal.reason)) await cancelWork(tasks, task, signal.reason);
      throw error;
    }
  };
  return tasks.untilClosed(run());
}

/** The pauses before a failed cancellation is tried again, in ms. */
const PAUSES_MS = [200, 1_000, 2_000, 4_000];

/** Cancels the task of a call that has ended. It retries, because no caller is left who could do so. */
async function cancelWork(tasks: Tasks, { id, owner }: TaskInfo, reason: unknown): Promise<void> {
  const why = reason instanceof CallerGone ? reason.message : undefined;
  // A task that has just ended needs no cancellation.
  const isOver = (error: unknown) => error instanceof TaskFinished || error instanceof TaskNotFound;
  await tryAgain(() => tasks.cancel(id, owner, why), PAUSES_MS, isOver);
}
