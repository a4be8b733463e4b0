/**
 * A task as a store of ours keeps it, and every change that may happen to it: pure functions, one per event.
 * A store's own file does the reading and writing; none of them decides anything.
 *
 * @module
 */
import type { Attempt, NewTask, ProgressReport, RecordedStep, RetryPolicy } from "../../backend.ts";
import type { CancelledTask, Outcome } from "../../task.ts";
import type { NewLines } from "../../task_log/newest_lines.ts";
import { stepInfoOf } from "../../steps/recorded_steps.ts";
import { cutMessage } from "../../text.ts";
import { lossesOf } from "./changes/losses.ts";
import { withoutOverdue } from "./changes/questions.ts";
import { type Ended, finished, live, next, step, type TaskRecord } from "./changes/task_record.ts";
import { waiting, type WaitsFor } from "./changes/parking.ts";
import { refuseNew } from "./refusals.ts";
import {
  attemptFailed,
  CANCELLED,
  CANCELLED_WITH_WORKER,
  handedBackText,
  handedBackTooOften,
  STOP_REQUESTED,
  workerDied,
  workerDiedTooOften,
} from "./texts.ts";

export { answered, asked, askedOf, counted } from "./changes/questions.ts";
export type { Losses } from "./changes/losses.ts";
export { dueAtOf } from "./changes/task_record.ts";
export type { Ended, TaskRecord } from "./changes/task_record.ts";
export type { WaitsFor } from "./changes/parking.ts";

/** A task whose worker dies this often at one place is not tried again: it is likely the cause. */
export const MAX_CRASHES = 3;

/**
 * A task is handed back at most this often at one place, or a host that restarts its server over and over would repeat the
 * work each time.
 */
export const MAX_HAND_BACKS = 5;

/** The record of a new task. Throws for an owner or a `resultTtl` that no server would give. */
export function created(task: NewTask, now: number): TaskRecord {
  refuseNew(task);
  return {
    info: {
      id: task.id,
      job: task.job,
      owner: task.owner,
      status: "PENDING",
      revision: 1,
      attempt: 0,
      createdAt: now,
      updatedAt: now,
      resultTtl: task.resultTtl,
      ...(task.delay && { dueAt: now + task.delay }),
      ...(task.retryOf !== undefined && { retryOf: task.retryOf }),
    },
    retry: task.retry,
    timeout: task.timeout,
    priority: task.priority ?? 0,
    ...(task.delay && { delay: task.delay }),
    ...(task.trace && { trace: task.trace }),
    crashes: 0,
  };
}

/**
 * A worker, the `holder`, takes the task. It begins an attempt, or continues the one that was parked. Questions whose time has
 * passed expire, so that the code gets that answer with the others and knows how far it was.
 */
export function claimed(before: TaskRecord, holder: string, now: number): TaskRecord {
  const record = withoutOverdue(before, now);
  const { message: _, progress: __, dueAt: ___, parked: ____, ...rest } = live(record);
  const attempt = record.resumes ? rest.attempt : rest.attempt + 1;
  const info = next(rest, now, { status: "RUNNING", attempt });
  return { ...record, holder, since: info.revision, info };
}

/** Whether earlier runs of a task that was just claimed may have recorded steps. */
export function mayHaveSteps({ info, resumes, losses }: TaskRecord): boolean {
  return info.attempt > 1 || resumes === true || losses !== undefined;
}

/** The order of tasks that are ready, smaller first: by priority, and of each those first whose attempt was parked. */
export function urgencyOf({ priority, resumes }: TaskRecord): number {
  return resumes ? priority - 0.5 : priority;
}

/** The running job says what it does and how far it is. */
export function reported(record: TaskRecord, report: ProgressReport, now: number): TaskRecord {
  const info = live(record);
  const { progress, message } = report;
  return {
    ...record,
    info: next(info, now, {
      status: info.status,
      ...(progress !== undefined && { progress }),
      // "Asked to stop" stays, and is more important than what the code reports until it notices.
      ...(message !== undefined && !info.stopRequested && { message: cutMessage(message) }),
    }),
  };
}

/** The running job has logged lines: numbers them, and counts them in the record, which is stored with them. */
export function logged(record: TaskRecord, { skipped, lines }: NewLines): Ended {
  if (lines.length === 0) return { record };
  const before = (record.info.logged ?? 0) + skipped;
  return {
    record: { ...record, info: { ...record.info, logged: before + lines.length } },
    lines: lines.map((line, index) => ({ number: before + index + 1, ...line })),
  };
}

/**
 * A worker that shuts down gives the task back: the attempt does not count. A task that is given back too often fails.
 * `abandoned`: its code may run on. `steps`: those that it has recorded.
 */
export function handedBack(
  before: TaskRecord,
  abandoned: boolean,
  steps: readonly RecordedStep[],
  now: number,
): Ended {
  const record: TaskRecord = abandoned ? { ...before, abandoned } : before;
  const info = live(record);
  if (info.stopRequested) return { record: stopped(record, now) };
  const losses = lossesOf(record, steps, "handBacks");
  const { handBacks } = losses;
  if (handBacks > MAX_HAND_BACKS) return failed(record, { kind: "fault", message: handedBackTooOften(handBacks) }, now);
  const message = handedBackText(handBacks, MAX_HAND_BACKS);
  return {
    record: {
      ...record,
      holder: undefined,
      losses,
      info: next(info, now, { status: "PENDING", attempt: beforeClaim(record), message }),
    },
  };
}

/**
 * The claim is undone, because no code has run: the store's answer was lost, or the input could not be read. The task waits
 * again, for at least `pause` ms. This costs neither an attempt nor a hand-back. If it was asked to stop meanwhile, it is
 * cancelled.
 */
export function unclaimed(record: TaskRecord, now: number, pause: number = 0): Ended {
  const info = live(record);
  const change = { status: "PENDING", attempt: beforeClaim(record), ...(pause > 0 && { dueAt: now + pause }) } as const;
  // With its delay the wait can be corrected if the clock is set back.
  const delay = pause > 0 && { delay: pause };
  const waits: TaskRecord = { ...record, holder: undefined, ...delay, info: next(info, now, change) };
  return { record: info.stopRequested ? cancelledNow(waits, now) : waits };
}

/** The number of the attempt before the claim that is given back. */
function beforeClaim({ info, resumes }: TaskRecord): number {
  return resumes ? info.attempt : info.attempt - 1;
}

/** The job waits for answers or until a time, without a worker. If it was asked to stop meanwhile, it is cancelled. */
export function parked(record: TaskRecord, awaited: WaitsFor, now: number): Ended {
  return { record: live(record).stopRequested ? stopped(record, now) : waiting(record, awaited, now) };
}

/**
 * The worker died. The task runs again, unless too many workers have died while it came no further. `steps`: those that it
 * has recorded.
 */
export function crashed(record: TaskRecord, steps: readonly RecordedStep[], now: number): Ended {
  const info = live(record);
  if (info.stopRequested) return { record: stopped(record, now, CANCELLED_WITH_WORKER) };
  const [crashes, losses] = [record.crashes + 1, lossesOf(record, steps, "crashes")];
  if (losses.crashes >= MAX_CRASHES) {
    const last = steps.at(-1);
    const message = workerDiedTooOften(losses.crashes, last && stepInfoOf(last).name);
    return failed({ ...record, crashes, losses }, { kind: "fault", message }, now);
  }
  const message = workerDied(crashes);
  return {
    record: {
      ...record,
      crashes,
      losses,
      holder: undefined,
      resumes: undefined,
      info: next(info, now, { status: "PENDING", message }),
    },
  };
}

/** An attempt has ended. `random` is in [0, 1). */
export function settled(before: TaskRecord, attempt: Attempt, now: number, random: number): Ended {
  const record: TaskRecord = isAbandoned(attempt) ? { ...before, abandoned: true } : before;
  const info = live(record);
  if (info.stopRequested) return { record: stopped(record, now) };
  if (attempt.kind === "value") {
    const { message: _, questions: __, ...rest } = step(info, now);
    const done = rest.progress === undefined ? rest : { ...rest, progress: 1 };
    return {
      record: finished(record, { ...done, status: "COMPLETED", finishedAt: done.updatedAt }),
      outcome: attempt,
    };
  }
  // A run that ended with its worker is no failed attempt of the job.
  const failures = info.attempt - record.crashes;
  if (attempt.kind === "error" && attempt.retry && failures < record.retry.attempts) {
    const pause = backoff(record.retry, failures, random);
    const message = attemptFailed(failures, record.retry.attempts, attempt.message);
    return {
      record: {
        ...record,
        holder: undefined,
        resumes: undefined,
        info: next(info, now, { status: "RETRYING", message, dueAt: now + pause }),
      },
    };
  }
  const outcome: Outcome = attempt.kind === "fault" ? attempt : { kind: "tool_error", message: attempt.message };
  return failed(record, outcome, now);
}

/** Somebody asked to cancel a task that runs: its worker is to stop it. */
export function stopRequested(record: TaskRecord, now: number): TaskRecord {
  const info = live(record);
  const change = { status: info.status, message: STOP_REQUESTED };
  return { ...record, info: { ...next(info, now, change), stopRequested: true } };
}

/** The running code has stopped after a request, unless some of it was given up before. */
export function stopped(record: TaskRecord, now: number, message: string = CANCELLED.stopped): TaskRecord {
  return record.abandoned ? unconfirmed(record, now) : cancelled(record, "stopped", message, now);
}

/** The task was cancelled while no worker ran it, or its worker has not answered in time. */
export function cancelledNow(record: TaskRecord, now: number): TaskRecord {
  if (record.holder !== undefined) return unconfirmed(record, now);
  return record.info.attempt === 0 && record.losses === undefined
    ? cancelled(record, "never_started", CANCELLED.never_started, now)
    : stopped(record, now);
}

/** Whether the code of an attempt was given up, and may run on. */
export function isAbandoned(attempt: Attempt): boolean {
  return attempt.kind === "error" && attempt.abandoned === true;
}

function unconfirmed(record: TaskRecord, now: number): TaskRecord {
  return cancelled(record, "stop_requested", CANCELLED.stop_requested, now);
}

/** The pause before the next attempt in ms: exponential, and between half and all of it at random. */
export function backoff(retry: RetryPolicy, attempt: number, random: number): number {
  const full = Math.min(retry.maxDelay, retry.delay * 2 ** (attempt - 1));
  return Math.round(full * (0.5 + random / 2));
}

/** How a finished record ended, where nothing is stored beside it. */
export function cancelledOutcome(info: CancelledTask): Outcome {
  return { kind: "fault", message: info.message ?? CANCELLED[info.work] };
}

function cancelled(record: TaskRecord, work: CancelledTask["work"], message: string, now: number): TaskRecord {
  const { stopRequested: _, dueAt: __, questions: ___, parked: ____, ...info } = step(live(record), now);
  return finished(record, { ...info, status: "CANCELLED", finishedAt: info.updatedAt, work, message });
}

function failed(record: TaskRecord, outcome: Exclude<Outcome, { kind: "value" }>, now: number): Ended {
  const { questions: _, ...info } = step(live(record), now);
  const message = cutMessage(outcome.message);
  return {
    record: finished(record, { ...info, status: "FAILED", finishedAt: info.updatedAt, failure: outcome.kind, message }),
    outcome,
  };
}
