/**
 * From BullMQ's states to ours: one table, and the task as it follows from a job and the record beside it.
 *
 * @module
 */
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
  CANCELLED_WITH_WORKER,
  handedBackText,
  sleepsUntil,
  STOP_REQUESTED,
  workerDied,
} from "../shared/texts.ts";
import { progressOf } from "./progress.ts";
import { type StoredLosses, tooManyDeaths } from "./redis/scripts/resuming/losses.ts";

/** The state of a job, in BullMQ's words; `unknown` if the queue has no such job. */
export type JobState =
  | "waiting"
  | "waiting-children"
  | "prioritized"
  | "delayed"
  | "active"
  | "completed"
  | "failed"
  | "unknown";

/** The status of a task for each state of its job: before its first attempt has failed, and after. */
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

/** A task as it is stored at one moment: the job in the queue, and our record beside it. */
export interface Snapshot {
  readonly id: string;
  /** The time of the read, by the same clock as the other times. */
  readonly readAt: number;
  readonly queue: string;
  readonly job: string;
  readonly owner: string;
  readonly resultTtl: number;
  readonly createdAt: number;
  /** How many attempts the task has. */
  readonly attempts: number;
  /** Whether the first attempt was delayed. */
  readonly delayed: boolean;
  /** Counts the changes that leave the job in its state: progress, questions, answers, a request to stop. */
  readonly changes: number;
  /** The time of the newest of these changes. */
  readonly changedAt: number;
  readonly questions?: readonly Question[];
  readonly stopRequested: boolean;
  /** Takes precedence over the job's state; it is set only while the job is unfinished. */
  readonly cancelled?: {
    readonly work: CancelledTask["work"];
    readonly at: number;
    readonly attempt: number;
    /** The progress at that time, with its run: code that has not stopped may report more. */
    readonly progress?: Json;
    readonly started: number;
    /** Its worker died after it was asked to stop. */
    readonly died: boolean;
  };
  /** When the job was first missing from the queue. */
  readonly goneAt?: number;
  /** The run that ended with a fault, by its number, and the fault's code. */
  readonly fault?: { readonly run: number; readonly code?: number };
  /** The last run that a worker of ours handed back on shutdown, by its number. */
  readonly handedBack?: number;
  /** How many runs were handed back. */
  readonly handBacks: number;
  /** The run that was parked last, by its number. */
  readonly parkedRun?: number;
  /** How many runs were parked. */
  readonly parks: number;
  /** The attempt that was parked last, by its number. */
  readonly resumes?: number;
  /** The number of the run that failed last; only stored if a worker had died before. */
  readonly failedRun?: number;
  /** The number of the run that asked last. */
  readonly askedBy?: number;
  /** How many lines its runs have logged. */
  readonly logged?: number;
  /** The task that this one repeats. */
  readonly retryOf?: string;
  /** The keys of its questions that nobody answered in time. */
  readonly expiredQuestions?: readonly string[];
  /** Whether a worker of ours ran it last. */
  readonly ours: boolean;
  /** It has expired, and is being deleted. */
  readonly expired: boolean;
  readonly state: JobState;
  /** When a delayed job is due. */
  readonly dueAt?: number;
  readonly processedOn?: number;
  readonly finishedOn?: number;
  /** How many runs have started. */
  readonly started: number;
  /** How many attempts have ended by themselves. */
  readonly ended: number;
  /** How many attempts have ended because their worker died. */
  readonly stalled: number;
  /** How often it has lost its worker since it came further. */
  readonly losses: StoredLosses;
  readonly progress?: Json;
  readonly failedReason?: string;
  /** The result, as it stands in the job; only of a completed task whose result was to be read. */
  readonly result?: string;
}

/** BullMQ's reason for a job whose workers have died too often. */
export const STALLED = "job stalled more than allowable limit";

/** What BullMQ stores for an error without a message, and for a thrown value that is no error. */
const NO_REASON: ReadonlySet<string | undefined> = new Set([undefined, "", "null"]);

/** The revision of a finished task, higher than all others. */
export const LAST_REVISION: number = 2 ** 52;

/** The task as its owner sees it. */
export function toTask(snapshot: Snapshot): TaskInfo {
  const base: TaskBase = {
    id: snapshot.id,
    job: snapshot.job,
    owner: snapshot.owner,
    revision: revisionOf(snapshot),
    attempt: attemptOf(snapshot),
    ...progressOf(snapshot.cancelled ?? { progress: snapshot.progress, started: lastRun(snapshot) }),
    ...(snapshot.logged !== undefined && { logged: snapshot.logged }),
    createdAt: snapshot.createdAt,
    updatedAt: Math.max(snapshot.createdAt, snapshot.processedOn ?? 0, snapshot.changedAt),
    resultTtl: snapshot.resultTtl,
    ...(snapshot.retryOf !== undefined && { retryOf: snapshot.retryOf }),
    ...(snapshot.expiredQuestions && { expiredQuestions: snapshot.expiredQuestions }),
  };
  const { cancelled } = snapshot;
  if (cancelled) {
    const { work, at, attempt } = cancelled;
    const message = cancelled.died && work === "stopped" ? CANCELLED_WITH_WORKER : CANCELLED[work];
    return { ...base, status: "CANCELLED", attempt, message, updatedAt: at, finishedAt: at, work };
  }
  const status = STATUS[snapshot.state][waitsAfterFailure(snapshot) ? 1 : 0];
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

/** The outcome of a failed task. */
export function failureOf(snapshot: Snapshot): Exclude<Outcome, { readonly kind: "value" }> {
  const { state, stalled, losses, fault, started } = snapshot;
  const failedReason = reasonOf(snapshot) ?? "The job failed and gave no reason.";
  if (state === "unknown") {
    const message = "The queue no longer has the job of this task: it was removed, or Redis has lost it.";
    return { kind: "fault", message };
  }
  if (diedTooOften(snapshot)) return { kind: "fault", message: tooManyDeaths(losses, stalled) };
  if (fault?.run !== started) return { kind: "tool_error", message: failedReason };
  return { kind: "fault", message: failedReason, ...(fault.code !== undefined && { code: fault.code }) };
}

function reasonOf({ failedReason, ours }: Snapshot): string | undefined {
  return ours || !NO_REASON.has(failedReason) ? failedReason : undefined;
}

/** Whether an attempt has failed: some leave no reason, and some reasons remain when the count is reset. */
function hasFailed({ failedReason, ended }: Snapshot): boolean {
  return failedReason !== undefined || ended > 0;
}

/** Whether its workers died too often. A worker took the job once more then, only to fail it. */
function diedTooOften({ state, failedReason }: Snapshot): boolean {
  return state === "failed" && failedReason === STALLED;
}

/** The last run of the job's code. */
function lastRun(snapshot: Snapshot): number {
  return diedTooOften(snapshot) ? snapshot.started - 1 : snapshot.started;
}

/** Whether the last run ended with a failed attempt: it may also have been handed back, or have died. */
function waitsAfterFailure(snapshot: Snapshot): boolean {
  const { handedBack, parkedRun, started, stalled, ours, failedRun } = snapshot;
  if (!hasFailed(snapshot) || handedBack === started || parkedRun === started) return false;
  return stalled === 0 || !ours || failedRun === started;
}

/** Whether the task waits without a worker. */
export function isParked({ state, parkedRun, started }: Snapshot): boolean {
  return state === "delayed" && parkedRun === started;
}

/** Whether the task is finished. */
function isOver({ cancelled, state }: Snapshot): boolean {
  return cancelled !== undefined || state === "completed" || state === "failed" || state === "unknown";
}

/** Whether the task has expired. */
export function hasExpired(snapshot: Snapshot): boolean {
  const end = expiryOf(snapshot);
  return end !== undefined && end <= snapshot.readAt;
}

/** When the task expires, in ms since the epoch; `undefined` until it is finished. */
export function expiryOf(snapshot: Snapshot): number | undefined {
  if (snapshot.expired) return 0;
  return isOver(snapshot) ? expiresAt(toTask(snapshot)) : undefined;
}

/** Grows with every change, and is the same for everyone who reads the same snapshot. */
function revisionOf(snapshot: Snapshot): number {
  const { state, started, changes, delayed } = snapshot;
  if (isOver(snapshot)) return LAST_REVISION;
  const run = started * 1_000_000;
  if (state === "active") return run + 10 + Math.min(changes, 800_000);
  const waits = state === "delayed" || !delayed ? 1 : 2;
  if (started === 0) return waits;
  // A waiting task may be answered, too.
  return run + 900_000 + 2 * Math.min(changes, 49_000) + (state === "delayed" ? 0 : 1);
}

/**
 * The number of the attempt that runs or ran last. An attempt counts if its worker has died, or if it is parked, but not if it
 * was handed back.
 */
function attemptOf(snapshot: Snapshot): number {
  const { state, ended, stalled, resumes } = snapshot;
  if (diedTooOften(snapshot)) return ended - 1 + stalled;
  return ended + stalled + (state === "active" || resumes === ended + stalled + 1 ? 1 : 0);
}

type Live = Pick<LiveTask, "status" | "message" | "dueAt" | "questions" | "parked" | "stopRequested">;

function liveOf(snapshot: Snapshot): Live {
  const { state, started, ended, attempts, askedBy, questions = [], dueAt } = snapshot;
  if (state === "active") {
    return {
      // A question of an earlier run is open, but this run waits for it only once it asks it again.
      status: questions.length > 0 && askedBy === started ? "INPUT_REQUIRED" : "RUNNING",
      ...(questions.length > 0 && { questions }),
      ...(snapshot.stopRequested &&
        { stopRequested: true as const, message: STOP_REQUESTED }),
    };
  }
  const due = dueAt === undefined ? {} : { dueAt };
  const asked = questions.length > 0 ? { questions } : {};
  if (snapshot.parkedRun === started) {
    if (!isParked(snapshot)) return { status: "PENDING", ...asked };
    if (questions.length > 0) return { status: "INPUT_REQUIRED", parked: true, ...due, ...asked };
    return { status: "PENDING", parked: true, ...due, ...(dueAt !== undefined && { message: sleepsUntil(dueAt) }) };
  }
  if (waitsAfterFailure(snapshot)) {
    const message = attemptFailed(ended, attempts, reasonOf(snapshot));
    return { status: "RETRYING", message, ...due, ...asked };
  }
  if (started === 0) return { status: "PENDING", ...due };
  return { status: "PENDING", message: whyAgain(snapshot), ...due, ...asked };
}

/** Why a task that has started before waits again, although no attempt has failed. */
function whyAgain({ state, started, ended, stalled, losses, handedBack, handBacks, parks }: Snapshot): string {
  if (handedBack === started) return handedBackText(losses.handBacks ?? handBacks, MAX_HAND_BACKS);
  if (state === "waiting-children") return "Put off by its worker until other jobs have ended.";
  if (state === "delayed") return "Put off by its worker; runs again when it is due.";
  // A run that a worker of others put back is in none of these counts.
  if (started > ended + stalled + handBacks + parks) {
    return "Put back into the queue by its worker; waits for its turn.";
  }
  return workerDied(stalled);
}
