/**
 * The contract between an operator and a backend. An operator runs the system and sees the tasks of all owners. Nothing
 * here is reachable through MCP.
 *
 * @module
 */
import type { FinishedTask, Json, TaskInfo, TaskStatus, TerminalStatus } from "../task.ts";

/** Which tasks an operator asks for. Absent fields match every task. */
export interface TaskFilter {
  /** The name of their job. */
  readonly job?: string;
  /** Their status. */
  readonly status?: TaskStatus;
  /** Their owner. */
  readonly owner?: string;
  /** They were created at this time or later, in ms since the epoch. */
  readonly since?: number;
  /** They were created before this time, in ms since the epoch. */
  readonly until?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
  /** The most tasks of a page, 1 to 1,000. Default: 100. */
  readonly limit?: number;
}

/** The tasks of one job, counted. Finished tasks count until they are deleted. */
export interface JobCounts {
  /** The job's name. */
  readonly job: string;
  /** How many tasks are in each state. */
  readonly counts: { readonly [status in TaskStatus]: number };
  /** How many of them wait for an answer or a time without a worker. */
  readonly parked: number;
  /**
   * Since when the longest-waiting task that could run now has waited for a worker, in ms since the epoch: since its
   * creation or its due time, or since it was answered or has lost its worker. Only the first few
   * in line of each priority are compared.
   */
  readonly oldestWaiting?: number;
  /** Whether a worker for it is alive; absent unless a task runs, or could run now. */
  readonly hasWorker?: boolean;
  /** Whether the job is paused. */
  readonly paused: boolean;
}

/** A worker that is alive. */
export interface WorkerInfo {
  /** Its name, which no other worker has. */
  readonly name: string;
  /** The host on which it runs. */
  readonly host: string;
  /** The id of its process. */
  readonly pid: number;
  /** The names of the jobs that it runs. */
  readonly jobs: readonly string[];
  /** The ids of the tasks that it holds. */
  readonly running: readonly string[];
  /** When it started, in ms since the epoch. */
  readonly since: number;
}

/** A schedule and its state. */
export interface ScheduleInfo {
  /** Its name. */
  readonly name: string;
  /** The job of its tasks. */
  readonly job: string;
  /** The owner of its tasks. */
  readonly owner: string;
  /** The input of its tasks. */
  readonly input: Json;
  /** When tasks are due: a cron expression in a time zone, or every so many ms. */
  readonly times: { readonly cron: string; readonly timeZone: string } | { readonly every: number };
  /** Whether it is paused. */
  readonly paused: boolean;
  /** When its next task is due, in ms since the epoch; absent while it is paused. */
  readonly nextAt?: number;
  /** The due time of its last task, and the task. */
  readonly last?: { readonly dueAt: number; readonly task: string };
}

/** A step that a task has recorded. */
export interface StepInfo {
  /** Its name; a step inside another one begins with the name of that step and `##`. */
  readonly name: string;
  /** When it was recorded, in ms since the epoch. */
  readonly at: number;
}

/** What an operator sees and does. Methods reject with `BackendError` while the store fails. */
export interface Operator {
  /**
   * Lists tasks of all owners, newest first. A page may have fewer tasks than its limit, or none, and still be followed by
   * another: each page reads a bounded number of tasks, of which few may match. Rejects with `InvalidInput` if the cursor is
   * not from a page of this backend.
   */
  tasks(filter?: TaskFilter): Promise<{ readonly tasks: readonly TaskInfo[]; readonly nextCursor?: string }>;
  /** Reads a task of any owner. Rejects with `TaskNotFound`, or with `TaskExpired`. */
  get(id: string): Promise<TaskInfo>;
  /** Reads the input of a task. Rejects as `get`. */
  input(id: string): Promise<Json>;
  /** Lists the recorded steps of a task, in the order of their numbers; none once it has finished. Rejects as `get`. */
  steps(id: string): Promise<readonly StepInfo[]>;
  /** Counts the tasks of every job that has any, or is paused, sorted by the job's name. */
  counts(): Promise<readonly JobCounts[]>;
  /** Lists the workers of all processes that are alive. */
  workers(): Promise<readonly WorkerInfo[]>;
  /** Cancels a task of any owner as `Backend.cancel` does. `wait` is in ms; default: 2,000. */
  cancel(id: string, wait?: number): Promise<FinishedTask>;
  /**
   * Creates a task with the job, input, owner and options of a finished one, which does not change; `retryOf` of the new task
   * names it. Each call creates one; of calls with the same `key`, only the first does, and the others resolve with its task.
   * Rejects as `get`, and with `TaskNotReady` if the task has not finished.
   */
  retry(id: string, key?: string): Promise<TaskInfo>;
  /**
   * From now on no worker begins or resumes a task of this job. Running tasks go on, and new tasks are still accepted.
   * Resolves with the queues of other names that are paused with it, in which all other jobs wait, too. Only BullMQ has such
   * queues.
   */
  pause(job: string): Promise<readonly string[]>;
  /** Ends a pause. */
  resume(job: string): Promise<void>;
  /**
   * Deletes tasks with a final status that finished before a time, in ms since the epoch, and their results. Resolves with
   * how many. Those whose results had expired may be gone before, and are not counted then.
   */
  purge(which: { readonly status: TerminalStatus; readonly before: number }): Promise<number>;
  /** Lists the schedules, sorted by name. */
  schedules(): Promise<readonly ScheduleInfo[]>;
  /** Pauses a schedule or ends the pause. Resolves with whether there is one of this name. */
  pauseSchedule(name: string, paused: boolean): Promise<boolean>;
  /** Removes a schedule. A server that declares it brings it back when it starts. Resolves with whether there was one. */
  removeSchedule(name: string): Promise<boolean>;
}
