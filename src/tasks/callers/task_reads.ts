/**
 * How a call looks at the task of another one.
 *
 * @module
 */
import type { Backend } from "../../backend.ts";
import { TaskExpired, TaskNotFound } from "../../errors.ts";
import type { TaskInfo } from "../../task.ts";
import type { TaskFeed } from "../feed.ts";

/** Reads of the tasks of one owner. */
export interface TaskReads {
  /** Reads a task; `undefined` if it is gone. */
  read(id: string): Promise<TaskInfo | undefined>;
  /** Resolves once a task has ended. Rejects once the signal aborts. */
  ended(task: TaskInfo, signal: AbortSignal): Promise<unknown>;
}

/** The reads of an owner's tasks. */
export function readsOf(backend: Pick<Backend, "get">, feed: Pick<TaskFeed, "finish">, owner: string): TaskReads {
  return {
    read: (id) =>
      backend.get(id, owner).catch((error) => {
        if (!(error instanceof TaskNotFound || error instanceof TaskExpired)) throw error;
        return undefined;
      }),
    ended: (task, signal) => feed.finish(task, signal),
  };
}
