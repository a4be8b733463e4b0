/**
 * What a store provides for an operator: types only. Each store has these few reads and one write, and this folder makes an
 * `Operator` of them, the same for every backend.
 *
 * @module
 */
import type { JobCounts, NewTask, RecordedStep, WorkerInfo } from "../backend.ts";
import type { Json, TaskInfo, TerminalStatus } from "../task.ts";

/** Which tasks are read, by the newest id first. Absent fields match every task. */
export interface TaskQuery {
  /** The name of their job. */
  readonly job?: string;
  /** Their status. */
  readonly status?: TaskInfo["status"];
  /** Their owner. */
  readonly owner?: string;
  /** Their ids sort before this one. */
  readonly before?: string;
  /** Their ids sort behind this one, or are the same. */
  readonly from?: string;
}

/** Some of the tasks that a query asks for. */
export interface FoundTasks {
  /**
   * Tasks between `before` and `next`, by the newest id first. None that matches is left out; others may be among them, and
   * so may expired ones.
   */
  readonly tasks: readonly TaskInfo[];
  /** Where to read on: `before` of the next query. Absent: there are no more. */
  readonly next?: string;
}

/** The tasks of one job, counted. A job without tasks may be left out. */
export type TaskCounts = Omit<JobCounts, "paused" | "hasWorker">;

/** Which finished tasks are to be deleted. */
export interface Purged {
  /** Their status. */
  readonly status: TerminalStatus;
  /** They finished before this time, in ms since the epoch. */
  readonly before: number;
}

/** What one page of a purge has done. */
export interface PurgedPage {
  /** How many tasks it has deleted. */
  readonly deleted: number;
  /** The store's cursor for the next page. Absent: all are deleted. */
  readonly next?: string;
}

/** A finished task as it was submitted. */
export type SubmittedTask = Omit<NewTask, "id" | "key" | "delay" | "trace" | "retryOf">;

/** What an operator needs of a backend besides its contract. Methods reject with `BackendError` while the store fails. */
export interface OperatedStore {
  /** Whether a task of a page has expired, by the clock of the store. */
  hasExpired(task: TaskInfo): boolean;
  /** Reads a task of any owner. Rejects with `TaskNotFound`, or with `TaskExpired`. */
  get(id: string): Promise<TaskInfo>;
  /** Reads the input of a task. Rejects as `get`. */
  input(id: string): Promise<Json>;
  /** Reads the recorded steps of a task, in the order of their numbers. Rejects as `get`. */
  steps(id: string): Promise<readonly RecordedStep[]>;
  /** Reads a task as it was submitted. Rejects as `get`. */
  submitted(id: string): Promise<SubmittedTask>;
  /** The most that the time in a task's id is ahead of its `createdAt`, in ms: the clocks of server and store may differ. */
  ahead(): Promise<number>;
  /** Reads about `limit` tasks that a query asks for, and a bounded number whatever it asks. */
  page(query: TaskQuery, limit: number): Promise<FoundTasks>;
  /** Counts the tasks of every job that has any. */
  counts(): Promise<readonly TaskCounts[]>;
  /** Lists the workers of all processes that are alive. */
  workers(): Promise<readonly WorkerInfo[]>;
  /** For which of these jobs a worker is alive. */
  withWorker(jobs: readonly string[]): Promise<readonly string[]>;
  /** Deletes one page of finished tasks; `cursor` is `next` of the page before. */
  purge(which: Purged, cursor: string | undefined): Promise<PurgedPage>;
}

/** Which jobs are paused. Methods reject with `BackendError` while the store fails. */
export interface JobPauses {
  /** The paused jobs. */
  jobs(): Promise<ReadonlySet<string>>;
  /** Pauses a job. Resolves with the queues of another name that are paused with all that is in them. */
  pause(job: string): Promise<readonly string[]>;
  /** Ends a pause. */
  resume(job: string): Promise<void>;
}
