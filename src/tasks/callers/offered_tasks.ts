/**
 * The tasks of a list, as a call reads them before it takes one over.
 *
 * @module
 */
import { TaskNotFound } from "../../errors.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Offer } from "./offers.ts";

/** Reads a task; rejects with `TaskNotFound` for one that is gone. */
export type ReadTask = (id: string) => Promise<TaskInfo>;

/** Reads a task; `undefined` for one that is gone. */
export async function readIfThere(id: string, read: ReadTask): Promise<TaskInfo | undefined> {
  try {
    return await read(id);
  } catch (error) {
    if (error instanceof TaskNotFound) return undefined;
    throw error;
  }
}

/** Whether a task has, or may still get, an answer for a caller. The answer of a failed task is its error. */
export function hasAnswer(task: TaskInfo): boolean {
  return isFinished(task) ? task.status !== "CANCELLED" : !task.stopRequested;
}

/**
 * The tasks that have not ended, and for which calls of other servers than this one wait: a start with their key finds them
 * at once. Whether those servers live takes a second to see, in which such a task could end and give its key back.
 */
export async function openElsewhere(offers: readonly Offer[], here: string, read: ReadTask): Promise<TaskInfo[]> {
  const elsewhere = offers.filter(({ server }) => server !== undefined && server !== here);
  const tasks = await Promise.all(elsewhere.map(({ id }) => readIfThere(id, read)));
  return tasks.flatMap((task) => task && !isFinished(task) && hasAnswer(task) ? [task] : []);
}
