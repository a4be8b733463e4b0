/**
 * A task as a store of ours keeps it, and what every change of it has in common.
 *
 * @module
 */
import type { LogLine, RetryPolicy, TraceContext } from "../../../backend.ts";
import {
  type Answer,
  canMove,
  type FinishedTask,
  isFinished,
  type LiveTask,
  type Outcome,
  type TaskInfo,
} from "../../../task.ts";

/** The record of a task. Its input and its outcome, which may be large, are kept beside it. */
export interface TaskRecord {
  /** The task as its owner sees it. */
  readonly info: TaskInfo;
  /** How often and how it is tried again. */
  readonly retry: RetryPolicy;
  /** The longest time that one attempt may take, in ms. */
  readonly timeout?: number;
  /** 0 is the most urgent; larger numbers run later. */
  readonly priority: number;
  /** How long its first attempt was delayed, in ms. */
  readonly delay?: number;
  /** The trace in which it was created. */
  readonly trace?: TraceContext;
  /** The worker that holds it while it runs. */
  readonly holder?: string;
  /** The revision that its last claim made: a worker may hold a task again before it knows how its earlier claim has ended. */
  readonly since?: number;
  /** How many workers have died while they ran it. */
  readonly crashes: number;
  /** How often it has lost its worker at the present place; absent: it never lost one. */
  readonly losses?: {
    /** How many steps and answers it had recorded by then. */
    readonly recorded: number;
    /** How many workers have died while they ran it. */
    readonly crashes: number;
    /** How often a worker has begun it and handed it back, which counts as no attempt. */
    readonly handBacks: number;
  };
  /** Some of its code was given up and may still run, so it cannot be said that its work has stopped. */
  readonly abandoned?: true;
  /** Its attempt was parked: the next claim continues that attempt, and comes before tasks that never ran. */
  readonly resumes?: true;
  /** What has been answered so far, by the question's key. Only code that runs reads it, so the end leaves it out. */
  readonly answers?: { readonly [key: string]: Answer };
}

/** A changed record, with what is stored beside it in the same write. */
export interface Ended {
  /** The record as it is to be stored. */
  readonly record: TaskRecord;
  /** How the task ended, to be stored beside the record; absent while it is not finished, and when it was cancelled. */
  readonly outcome?: Outcome;
  /** Lines to be added to the log of the task. */
  readonly lines?: readonly LogLine[];
}

/** The record of a task that has ended: nobody holds it, and no code reads its answers any longer. */
export function finished(record: TaskRecord, info: FinishedTask): TaskRecord {
  return { ...record, holder: undefined, since: undefined, answers: undefined, resumes: undefined, info };
}

/** A task after a change, with the next revision. Throws for a move that no task may make. */
export function next(info: LiveTask, now: number, change: Partial<LiveTask> & Pick<LiveTask, "status">): LiveTask {
  if (info.status !== change.status && !canMove(info.status, change.status)) {
    throw new Error(`A task cannot go from ${info.status} to ${change.status}.`);
  }
  return { ...step(info, now), ...change };
}

/** A task with the next revision. Its time never goes back although the clock may: its result would expire early. */
export function step<T extends LiveTask>(info: T, now: number): T {
  return { ...info, revision: info.revision + 1, updatedAt: Math.max(now, info.updatedAt) };
}

/** When a task is due that waits for a time, in ms since the epoch; `undefined` for all others. */
export function dueAtOf({ info }: TaskRecord): number | undefined {
  return isFinished(info) ? undefined : info.dueAt;
}

/** Narrows to a task that can still change. Callers check that first, so a finished task here is our defect. */
export function live(record: TaskRecord): LiveTask {
  if (isFinished(record.info)) {
    throw new Error(`Task ${record.info.id} is ${record.info.status} and never changes.`);
  }
  return record.info;
}
