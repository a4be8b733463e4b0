/**
 * What a store of ours does for an operator, besides what it does for owners and workers.
 *
 * @module
 */
import type { WorkerInfo } from "../../../backend.ts";
import type { FoundTasks, Purged, PurgedPage, TaskCounts, TaskQuery } from "../../../operator/primitives.ts";

/** Reads tasks of all owners, and deletes finished ones. Rejects with `BackendError` while it fails. */
export interface OperatingStore<E> {
  /** Reads a task of any owner; `undefined` if there is none of this id. */
  find(id: string): Promise<E | undefined>;
  /** The most that the time in a task's id is ahead of its `createdAt`, in ms; more than a minute does not count. */
  ahead(): Promise<number>;
  /**
   * Reads about `limit` tasks that a query asks for, by the newest id first. It uses the best index that it has, reads a
   * bounded number of tasks whatever the query is, and need not check what its index does not: its caller does.
   */
  page(query: TaskQuery, limit: number): Promise<FoundTasks>;
  /** Counts the tasks of every job that has any, in any order. Its time does not grow with the number of finished tasks. */
  counts(): Promise<readonly TaskCounts[]>;
  /** Lists the workers that are alive, and the tasks that each holds. Those of this process may be left out. */
  workers(): Promise<readonly WorkerInfo[]>;
  /**
   * Called once a pause of a job is stored, as the document `PAUSED` and the job's name. Resolves when no claim is under way
   * that may not know of it. Absent: each claim reads in its own transaction that there is no such document, or claims are
   * made only by this process, which waits for those under way.
   */
  passClaims?(): Promise<void>;
  /** Deletes one page of finished tasks, with all that is stored about them; `cursor` is `next` of the page before. */
  purge(which: Purged, cursor: string | undefined): Promise<PurgedPage>;
}
