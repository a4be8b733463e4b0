/**
 * From the states of BullMQ to ours: the one table, and the task record that is read from a job and the record beside it.
 *
 * @module
 */
import { isObject } from "../../json.ts";
import {
  type CancelledTask,
  expiresAt,
  type Json,
  type LiveTask,
  type Outcome,
  type Question,
  type TaskBase,
  type TaskInfo,
  type TaskStatus,
} from "../../task.ts";
import { cutMessage } from "../../text.ts";
import { MAX_HAND_BACKS } from "../shared/record.ts";
import {
  attemptFailed,
  CANCELLED,
  handedBackText,
  STOP_REQUESTED,
  workerDied,
  workerDiedTooOften,
} from "../shared/texts.ts";

/** Where a job stands, in BullMQ's words; `unknown` where the queue has no such job. */
export type JobState =
  | "waiting"
  | "waiting-children"
  | "prioritized"
  | "delayed"
  | "active"
  | "completed"
  | "failed"
  | "unknown";

/** What a job's state means for its task: before its first attempt has failed, and after. */
export const STATUS: { readonly [state in JobState]: readonly [first: TaskStatus, again: TaskStatus] } = {
  "waiting": ["PENDING", "RETRYING"],
  "waiting-children": ["PENDING", "RETRYING"],
  "prioritized": ["PENDING", "RETRYING"],
  "delayed": ["PENDING", "RETRYING"],
  "active": ["RUNNING", "RUNNING"],
  "completed": ["COMPLETED", "COMPLETED"],
  "failed": ["FAILED", "FAILED"],
  "unknown": ["FAILED", "FAILED"],
};

/** What is read of a task at one moment: the job of the queue, and the record of ours beside it. */
export interface Snapshot {
  readonly id: string;
  /** What time it was, by the clock that the other times are by. */
  readonly readAt: number;
  readonly queue: string;
  readonly job: string;
  readonly owner: string;
  readonly resultTtl: number;
  readonly createdAt: number;
  /** How often the task is tried in all. */
  readonly attempts: number;
  /** Present where the first attempt was delayed. */
  readonly delayed: boolean;
  /** Counts what changed while the job stayed in its state: progress, questions, answers, the request to stop. */
  readonly changes: number;
  /** When the newest of these changes was seen. */
  readonly changedAt: number;
  readonly questions?: readonly Question[];
  readonly stopRequested: boolean;
  /** Wins over whatever the job says; it is only ever set while the job is unfinished. */
  readonly cancelled?: {
    readonly work: CancelledTask["work"];
    readonly at: number;
    readonly attempt: number;
    /** What the job had said of itself by then, and its run: code that runs on may say more. */
    readonly progress?: Json;
    readonly started: number;
  };
  /** When it was first seen that the queue has lost the job. */
  readonly goneAt?: number;
  /** The run, of those that were started, that ended with a fault, and the fault's code. */
  readonly fault?: { readonly run: number; readonly code?: number };
  /** The run, of those that were started, that a worker of ours has handed back when it shut down. */
  readonly handedBack?: number;
  /** How many runs were handed back. */
  readonly handBacks: number;
  /** Its time is over, and what it held is being deleted. */
  readonly expired: boolean;
  readonly state: JobState;
  /** When a delayed job is due. */
  readonly dueAt?: number;
  readonly processedOn?: number;
  readonly finishedOn?: number;
  /** How often a worker has taken it. */
  readonly started: number;
  /** How many attempts have ended by themselves. */
  readonly ended: number;
  /** How many attempts have ended with the death of their worker. */
  readonly stalled: number;
  readonly progress?: Json;
  readonly failedReason?: string;
}

/** How BullMQ calls the end of a job whose workers have died too often. */
const STALLED = "job stalled more than allowable limit";

/** What BullMQ stores for an error without a text, and for what was thrown and is no error. */
const NO_REASON: ReadonlySet<string | undefined> = new Set([undefined, "", "null"]);

/** The end of a task comes after everything else. */
export const LAST_REVISION: number = 2 ** 52;

/** The task record. */
export function toTask(snapshot: Snapshot): TaskInfo {
  const base: TaskBase = {
    id: snapshot.id,
    job: snapshot.job,
    owner: snapshot.owner,
    revision: revisionOf(snapshot),
    attempt: attemptOf(snapshot),
    ...progressOf(snapshot.cancelled ?? snapshot),
    createdAt: snapshot.createdAt,
    updatedAt: Math.max(snapshot.createdAt, snapshot.processedOn ?? 0, snapshot.changedAt),
    resultTtl: snapshot.resultTtl,
  };
  const { cancelled } = snapshot;
  if (cancelled) {
    const { work, at, attempt } = cancelled;
    const message = CANCELLED[work];
    return { ...base, status: "CANCELLED", attempt, message, updatedAt: at, finishedAt: at, work };
  }
  const status = STATUS[snapshot.state][hasFailed(snapshot) ? 1 : 0];
  const finishedAt = snapshot.finishedOn ?? snapshot.goneAt ?? base.updatedAt;
  if (status === "COMPLETED") {
    const { message: _, ...rest } = base;
    const progress = rest.progress === undefined ? {} : { progress: 1 };
    return { ...rest, ...progress, status, updatedAt: finishedAt, finishedAt };
  }
  if (status === "FAILED") {
    const { kind, message } = failureOf(snapshot);
    return { ...base, status, message: cutMessage(message), updatedAt: finishedAt, finishedAt, failure: kind };
  }
  return { ...base, ...liveOf(snapshot) };
}

/** How a failed task failed. */
export function failureOf(snapshot: Snapshot): Exclude<Outcome, { readonly kind: "value" }> {
  const { state, stalled, fault, started } = snapshot;
  const failedReason = reasonOf(snapshot) ?? "The job failed and gave no reason.";
  if (state === "unknown") {
    const message = "The queue has no job of this task any more: somebody removed it, or the store has lost it.";
    return { kind: "fault", message };
  }
  if (failedReason === STALLED) {
    return { kind: "fault", message: workerDiedTooOften(stalled) };
  }
  if (fault?.run !== started) return { kind: "tool_error", message: failedReason };
  return { kind: "fault", message: failedReason, ...(fault.code !== undefined && { code: fault.code }) };
}

function reasonOf({ failedReason }: Snapshot): string | undefined {
  return NO_REASON.has(failedReason) ? undefined : failedReason;
}

/** Whether an attempt has failed: not all leave a reason, and some reasons outlive the count. */
function hasFailed({ failedReason, ended }: Snapshot): boolean {
  return failedReason !== undefined || ended > 0;
}

/** Whether nothing changes any more. */
export function isOver({ cancelled, state }: Snapshot): boolean {
  return cancelled !== undefined || state === "completed" || state === "failed" || state === "unknown";
}

/** Whether the result's time is over. */
export function hasExpired(snapshot: Snapshot): boolean {
  const end = expiryOf(snapshot);
  return end !== undefined && end <= snapshot.readAt;
}

/** When the result's time is over, in ms since the epoch; `undefined` while the task lives. */
export function expiryOf(snapshot: Snapshot): number | undefined {
  if (snapshot.expired) return 0;
  return isOver(snapshot) ? expiresAt(toTask(snapshot)) : undefined;
}

/** Grows with every change, and is the same for all who look at the same moment. */
function revisionOf(snapshot: Snapshot): number {
  const { state, started, changes, delayed } = snapshot;
  if (isOver(snapshot)) return LAST_REVISION;
  const run = started * 1_000_000;
  if (state === "active") return run + 10 + Math.min(changes, 800_000);
  const waits = state === "delayed" || !delayed ? 1 : 2;
  if (started === 0) return waits;
  // A task that waits may be answered, too.
  return run + 900_000 + 2 * Math.min(changes, 49_000) + (state === "delayed" ? 0 : 1);
}

/** The attempt that runs, or ran last. One that was handed back does not count, one that was the end of its worker does. */
function attemptOf({ state, ended, stalled, failedReason }: Snapshot): number {
  if (state === "failed" && failedReason === STALLED) return ended - 1 + stalled;
  return ended + stalled + (state === "active" ? 1 : 0);
}

function liveOf(snapshot: Snapshot): Pick<LiveTask, "status" | "message" | "dueAt" | "questions" | "stopRequested"> {
  const { state, started, stalled, attempts, questions = [], dueAt } = snapshot;
  if (state === "active") {
    return {
      status: questions.length > 0 ? "INPUT_REQUIRED" : "RUNNING",
      ...(questions.length > 0 && { questions }),
      ...(snapshot.stopRequested &&
        { stopRequested: true as const, message: STOP_REQUESTED }),
    };
  }
  const due = dueAt === undefined ? {} : { dueAt };
  const asked = questions.length > 0 ? { questions } : {};
  if (hasFailed(snapshot)) {
    const message = attemptFailed(attemptOf(snapshot), attempts + stalled, reasonOf(snapshot));
    return { status: "RETRYING", message, ...due, ...asked };
  }
  if (started === 0) return { status: "PENDING", ...due };
  return { status: "PENDING", message: whyAgain(snapshot), ...due, ...asked };
}

/** Why a task waits that has been begun, though no attempt has failed. */
function whyAgain({ state, started, ended, stalled, handedBack, handBacks }: Snapshot): string {
  if (handedBack === started) return handedBackText(handBacks, MAX_HAND_BACKS);
  if (state === "waiting-children") return "Put off by its worker until other jobs have ended.";
  if (state === "delayed") return "Put off by its worker; runs again when it is due.";
  // What a worker puts back counts neither as ended nor as stalled.
  if (started > ended + stalled) return "Put back into the queue by its worker; waits for its turn.";
  return workerDied(stalled);
}

/**
 * What a job said of itself. Our workers tell which run they speak of, so that nothing is left of the one before. Others
 * give a number, where up to 1 is a fraction and more is a percentage, or an object with `progress` and `message`.
 */
function progressOf(
  { progress, started }: Pick<Snapshot, "progress" | "started">,
): Pick<TaskBase, "progress" | "message"> {
  if (typeof progress === "number") return { progress: fraction(progress) };
  if (!isObject(progress)) return {};
  if (typeof progress.run === "number" && progress.run !== started) return {};
  return {
    ...(typeof progress.progress === "number" && { progress: fraction(progress.progress) }),
    ...(typeof progress.message === "string" && { message: cutMessage(progress.message) }),
  };
}

function fraction(value: number): number {
  return Math.min(1, Math.max(0, value > 1 ? value / 100 : value));
}
