/**
 * The task record and its states. This file imports nothing: every other room speaks in these words.
 *
 * @module
 */

/** Any value that JSON can carry. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/**
 * The states of a task.
 *
 * @example
 * ```ts
 * import { TaskStatus } from "@mcp-jobs/mcp-jobs";
 * const finished: TaskStatus = TaskStatus.COMPLETED;
 * console.assert(finished === "COMPLETED");
 * ```
 */
export const TaskStatus: {
  /** Stored, and waiting for a worker. */
  readonly PENDING: "PENDING";
  /** A worker runs it now. */
  readonly RUNNING: "RUNNING";
  /** An attempt failed; the next one starts after a pause. */
  readonly RETRYING: "RETRYING";
  /** The job waits for an answer of the person in front of the client. */
  readonly INPUT_REQUIRED: "INPUT_REQUIRED";
  /** Finished with a result. */
  readonly COMPLETED: "COMPLETED";
  /** Finished with a tool error or a fault. */
  readonly FAILED: "FAILED";
  /** Stopped because somebody asked for it. */
  readonly CANCELLED: "CANCELLED";
} = {
  PENDING: "PENDING",
  RUNNING: "RUNNING",
  RETRYING: "RETRYING",
  INPUT_REQUIRED: "INPUT_REQUIRED",
  COMPLETED: "COMPLETED",
  FAILED: "FAILED",
  CANCELLED: "CANCELLED",
};

/** One of the states of {@linkcode TaskStatus}, the constant. */
export type TaskStatus = (typeof TaskStatus)[keyof typeof TaskStatus];

/** The states that a task never leaves. */
export type TerminalStatus = "COMPLETED" | "FAILED" | "CANCELLED";

/** The one table of allowed moves. A terminal state has none. */
const MOVES: { readonly [from in TaskStatus]: readonly TaskStatus[] } = {
  PENDING: ["RUNNING", "FAILED", "CANCELLED"],
  RUNNING: ["PENDING", "RETRYING", "INPUT_REQUIRED", "COMPLETED", "FAILED", "CANCELLED"],
  RETRYING: ["RUNNING", "FAILED", "CANCELLED"],
  INPUT_REQUIRED: ["RUNNING", "PENDING", "RETRYING", "COMPLETED", "FAILED", "CANCELLED"],
  COMPLETED: [],
  FAILED: [],
  CANCELLED: [],
};

/** Whether a task may go from one state to another. */
export function canMove(from: TaskStatus, to: TaskStatus): boolean {
  return MOVES[from].includes(to);
}

/** Whether a state is final. */
export function isTerminal(status: TaskStatus): status is TerminalStatus {
  return MOVES[status].length === 0;
}

/** What every task has, in whatever state. All times are milliseconds since the epoch. */
export interface TaskBase {
  /** The task id, unique and not to be guessed; later ids sort behind earlier ones. */
  readonly id: string;
  /** The name of the job that this task runs. */
  readonly job: string;
  /** The principal that the task belongs to. */
  readonly owner: string;
  /** Grows by one with every stored change, so that a late event is known as late. */
  readonly revision: number;
  /** How often the task was begun; 0 before its first run. */
  readonly attempt: number;
  /** How much is done, from 0 to 1, as the job last said. */
  readonly progress?: number;
  /** What the job, or the machinery, last said about the task. */
  readonly message?: string;
  /** When the task was stored. */
  readonly createdAt: number;
  /** When the record last changed. */
  readonly updatedAt: number;
  /** How long the result is kept once the task is finished, in ms. */
  readonly resultTtl: number;
}

/** A question of a running job to the person in front of the client. */
export interface Question {
  /** Names the question within its task; the same question of a later attempt has the same key. */
  readonly key: string;
  /** What is asked. */
  readonly message: string;
  /** What an answer's content must look like, as JSON Schema of a flat object (MCP, "Elicitation"). */
  readonly schema: { readonly [key: string]: Json };
}

/** What the person answered. */
export type Answer<Content = { readonly [key: string]: Json }> =
  | { readonly action: "accept"; readonly content: Content }
  | { readonly action: "decline" | "cancel" };

/** A task that is not finished. */
export interface LiveTask extends TaskBase {
  /** Where it stands. */
  readonly status: "PENDING" | "RUNNING" | "RETRYING" | "INPUT_REQUIRED";
  /** When a delayed or a retried task may run, in ms since the epoch; absent when it may run at once. */
  readonly dueAt?: number;
  /** What the job has asked and nobody has answered yet. */
  readonly questions?: readonly Question[];
  /** Present once somebody asked to cancel it, until the running code has stopped. */
  readonly stopRequested?: true;
}

/** A task that finished with a result. */
export interface CompletedTask extends TaskBase {
  /** Where it stands. */
  readonly status: "COMPLETED";
  /** When it finished. */
  readonly finishedAt: number;
}

/** A task that finished without a result. */
export interface FailedTask extends TaskBase {
  /** Where it stands. */
  readonly status: "FAILED";
  /** When it finished. */
  readonly finishedAt: number;
  /** Whether the job said no (`tool_error`) or the machinery could not run it (`fault`). */
  readonly failure: "tool_error" | "fault";
}

/** A task that somebody cancelled. */
export interface CancelledTask extends TaskBase {
  /** Where it stands. */
  readonly status: "CANCELLED";
  /** When it was cancelled. */
  readonly finishedAt: number;
  /** What is known about the code: it never began, it has stopped, or it was asked to stop and has not answered. */
  readonly work: "never_started" | "stopped" | "stop_requested";
}

/** A task that is finished. */
export type FinishedTask = CompletedTask | FailedTask | CancelledTask;

/** The task record, the one thing that crosses rooms. */
export type TaskInfo = LiveTask | FinishedTask;

/** Whether a task is finished. */
export function isFinished(task: TaskInfo): task is FinishedTask {
  return isTerminal(task.status);
}

/**
 * How a run ended: with a value, with an error that the model should read, or with a fault of the machinery.
 * The two generations of MCP tasks name these differently; each wire file maps them its own way.
 */
export type Outcome =
  | { readonly kind: "value"; readonly value: Json }
  | { readonly kind: "tool_error"; readonly message: string }
  | { readonly kind: "fault"; readonly message: string; readonly code?: number };

/** When the record of a finished task may be deleted, in ms since the epoch; `undefined` while it lives. */
export function expiresAt(task: TaskInfo): number | undefined {
  return isFinished(task) ? task.finishedAt + task.resultTtl : undefined;
}

/** Whether the time that a finished task's result is kept is over, `now` in ms since the epoch. */
export function hasExpired(task: TaskInfo, now: number): boolean {
  const end = expiresAt(task);
  return end !== undefined && end <= now;
}

/** What a task has asked and nobody has answered yet, also while it waits for its next worker. */
export function openQuestions(task: TaskInfo): readonly Question[] {
  return isFinished(task) ? [] : task.questions ?? [];
}
