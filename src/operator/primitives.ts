/**
 * What a store tells an operator: types only. Each store gives these few reads and one write; `Operator` is made of them in
 * this folder, the same for every backend.
 *
 * @module
 */
import type { JobCounts, NewTask } from "../backend.ts";
import type { TaskInfo, TerminalStatus } from "../task.ts";

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
export type TaskCounts = Omit<JobCounts, "paused">;

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
  /** Where to go on, in the store's own words. Absent: all are deleted. */
  readonly next?: string;
}

/** A finished task as it was submitted. */
export type SubmittedTask = Omit<NewTask, "id" | "key" | "delay" | "trace" | "retryOf">;
