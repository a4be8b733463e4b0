/**
 * The task record and its states. This file imports nothing: all others use its terms.
 *
 * @module
 */

/** Any value that JSON can represent. */
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
  /** A worker is running it. */
  readonly RUNNING: "RUNNING";
  /** An attempt has failed; the next one starts after a pause. */
  readonly RETRYING: "RETRYING";
  /** The job waits for an answer from a person. */
  readonly INPUT_REQUIRED: "INPUT_REQUIRED";
  /** Finished with a result. */
  readonly COMPLETED: "COMPLETED";
  /** Finished with a tool error or a fault. */
  readonly FAILED: "FAILED";
  /** Cancelled on request. */
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

/** One of the states in the constant {@linkcode TaskStatus}. */
export type TaskStatus = (typeof TaskStatus)[keyof typeof TaskStatus];

/** The states that a task never leaves. */
export type TerminalStatus = "COMPLETED" | "FAILED" | "CANCELLED";

/** The only table of allowed transitions. Terminal states have none. */
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

/** Whether a state is final. Throws `TypeError` if `status` is not one. */
export function isTerminal(status: TaskStatus): status is TerminalStatus {
  const moves: readonly TaskStatus[] | undefined = MOVES[status];
  if (moves !== undefined) return moves.length === 0;
  const found = JSON.stringify(status);
  throw new TypeError(`Cannot tell whether a task has ended: its status is ${found}, which is none of TaskStatus.`);
}

/** The fields of every task, in any state. All times are in ms since the epoch. */
export interface TaskBase {
  /** The task id: unique, impossible to guess, and sorted by age. */
  readonly id: string;
  /** The name of the job that this task runs. */
  readonly job: string;
  /** The principal that the task belongs to. */
  readonly owner: string;
  /** Increases by one with every stored change, so that late events can be recognised. */
  readonly revision: number;
  /** The number of its last run, as `ctx.attempt`; 0 before its first. */
  readonly attempt: number;
  /** How much is done, from 0 to 1, as the job last reported. */
  readonly progress?: number;
  /** The last message about the task, from the job or from the system. */
  readonly message?: string;
  /** How many lines its job has logged, which is also the number of the last line; absent: none. */
  readonly logged?: number;
  /** When the task was stored. */
  readonly createdAt: number;
  /** When the record last changed. */
  readonly updatedAt: number;
  /** How long the result is kept once the task is finished, in ms. */
  readonly resultTtl: number;
  /** The task that this one repeats, because an operator asked for it. */
  readonly retryOf?: string;
  /** The keys of its questions that nobody answered in time, in the order in which they expired; absent: none. */
  readonly expiredQuestions?: readonly string[];
}

/** A question that a running job asks a person. */
export interface Question {
  /** Identifies the question within its task; the same question has the same key in later attempts. */
  readonly key: string;
  /** The text of the question. */
  readonly message: string;
  /** The schema of an answer's content: JSON Schema of a flat object (MCP, "Elicitation"). */
  readonly schema: { readonly [key: string]: Json };
  /** The page that the person is asked to open, instead of a form; `accept` means only that they agreed to (MCP, "URL Mode"). */
  readonly url?: string;
  /** The longest content of its answer, in characters of JSON; absent: 4,000. */
  readonly maxAnswer?: number;
  /** When it expires, in ms since the epoch by the store's clock; absent: never. */
  readonly expiresAt?: number;
}

/** A question that is about to be stored. */
export type NewQuestion = Omit<Question, "expiresAt"> & {
  /** For how long it may be answered, in ms; absent: for as long as its task lives. */
  readonly expiresIn?: number;
};

/** The answer to a question: `expired` if there was none in time. */
export type Answer<Content = { readonly [key: string]: Json }> =
  | { readonly action: "accept"; readonly content: Content }
  | { readonly action: "decline" | "expired"; readonly answeredBy?: undefined }
  | {
    readonly action: "cancel";
    /** Present if the server has answered with `cancel`, because the client of the task cannot ask its person. */
    readonly answeredBy?: "nobody";
  };

/** A task that is not finished. */
export interface LiveTask extends TaskBase {
  /** The status. */
  readonly status: "PENDING" | "RUNNING" | "RETRYING" | "INPUT_REQUIRED";
  /** When a delayed or retried task may run, in ms since the epoch; absent if it may run at once. */
  readonly dueAt?: number;
  /** The questions that are not answered yet. */
  readonly questions?: readonly Question[];
  /**
   * No worker holds the task while it waits: for answers (INPUT_REQUIRED), until `dueAt` (PENDING), or for whichever comes
   * first.
   */
  readonly parked?: true;
  /** Present from a request to cancel the task until its code has stopped. */
  readonly stopRequested?: true;
}

/** A task that has finished with a result. */
export interface CompletedTask extends TaskBase {
  /** The status. */
  readonly status: "COMPLETED";
  /** When it finished. */
  readonly finishedAt: number;
}

/** A task that has finished without a result. */
export interface FailedTask extends TaskBase {
  /** The status. */
  readonly status: "FAILED";
  /** When it finished. */
  readonly finishedAt: number;
  /** Whether the job failed with an error for the model (`tool_error`), or the task ended with a protocol error (`fault`). */
  readonly failure: "tool_error" | "fault";
}

/** A task that was cancelled. */
export interface CancelledTask extends TaskBase {
  /** The status. */
  readonly status: "CANCELLED";
  /** When it was cancelled. */
  readonly finishedAt: number;
  /** What is known about the code: it never started, it has stopped, or it was asked to stop and has not confirmed. */
  readonly work: "never_started" | "stopped" | "stop_requested";
}

/** A finished task. */
export type FinishedTask = CompletedTask | FailedTask | CancelledTask;

/** The task record, which all parts of the system exchange. */
export type TaskInfo = LiveTask | FinishedTask;

/**
 * Whether a task is finished. Throws `TypeError` if `task` is not one.
 *
 * @example
 * ```ts
 * import { isFinished, type TaskInfo } from "@mcp-jobs/mcp-jobs";
 * export const describe = (task: TaskInfo) =>
 *   isFinished(task) ? `${task.status} after ${task.finishedAt - task.createdAt} ms` : `${task.status} so far`;
 * ```
 */
export function isFinished(task: TaskInfo): task is FinishedTask {
  return isTerminal(task?.status);
}

/**
 * A part of what the model sees of a result, as it is stored: a content block of MCP ("Tool Result"), except for a file,
 * which gets its URI when it is sent. `data` is base64.
 */
export type ContentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image" | "audio"; readonly data: string; readonly mimeType: string }
  | { readonly type: "file"; readonly data: string; readonly mimeType: string; readonly name: string }
  | {
    readonly type: "resource_link";
    readonly uri: string;
    readonly name: string;
    readonly title?: string;
    readonly description?: string;
    readonly mimeType?: string;
  };

/** What a job has returned. With `content`, `value` is its structured content, or `null`. */
export interface ResultValue {
  /** The result as data. */
  readonly value: Json;
  /** What the model sees; absent: the value. */
  readonly content?: readonly ContentPart[];
}

/**
 * How a task ended: with a value, with an error for the model to read, or with a fault, which becomes a protocol error.
 * The two revisions of MCP tasks represent these differently; the wire file of each has its own mapping.
 */
export type Outcome =
  | { readonly kind: "value" } & ResultValue
  | { readonly kind: "tool_error"; readonly message: string }
  | { readonly kind: "fault"; readonly message: string; readonly code?: number };

/** How long a task that has expired leaves a record behind, so that its owner gets "expired" and not "unknown", in ms. */
export const TOMBSTONE_MS = 3_600_000;

/** For how long a key names a task at most, in ms: 30 days from its start, whatever its window. */
export const KEY_TTL_MS: number = 30 * 24 * 3_600_000;

/** When the record of a finished task may be deleted, in ms since the epoch; `undefined` for others. */
export function expiresAt(task: TaskInfo): number | undefined {
  return isFinished(task) ? task.finishedAt + task.resultTtl : undefined;
}

/** Whether a finished task is past the time for which its result is kept; `now` is in ms since the epoch. */
export function hasExpired(task: TaskInfo, now: number): boolean {
  const end = expiresAt(task);
  return end !== undefined && end <= now;
}

/** The questions of a task that are not answered yet, also while it waits for its next worker. */
export function openQuestions(task: TaskInfo): readonly Question[] {
  return isFinished(task) ? [] : task.questions ?? [];
}
