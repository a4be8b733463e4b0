/**
 * Waits a while for a task to end.
 *
 * @module
 */
import type { Backend } from "../../backend.ts";
import { TaskExpired } from "../../errors.ts";
import { type FinishedTask, isFinished, type TaskInfo } from "../../task.ts";
import { doneWithin } from "../../waiting.ts";

/** Resolves with the task once it is finished, or with `undefined` after `ms`. Subscribes first, then reads once. */
export async function awaitEnd(
  backend: Pick<Backend, "get" | "watch">,
  id: string,
  owner: string,
  ms: number,
): Promise<FinishedTask | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<FinishedTask>();
  const settle = (task: TaskInfo) => {
    if (task.id === id && isFinished(task)) resolve(task);
  };
  const stop = backend.watch((event) => {
    if (event.kind === "change") settle(event.task);
  });
  try {
    // An expired task has ended, so its event is on its way or was delivered already.
    backend.get(id, owner).then(settle, (error) => error instanceof TaskExpired || reject(error));
    return await doneWithin(promise, ms) ? await promise : undefined;
  } finally {
    stop();
  }
}
