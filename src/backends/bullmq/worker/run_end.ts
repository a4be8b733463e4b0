/**
 * How a run ends: first what our record needs, then what BullMQ is to do with the job.
 *
 * @module
 */
import type { Job } from "bullmq";
import type { Attempt } from "../../../backend.ts";
import { TaskCancelled } from "../../../errors.ts";
import type { Json } from "../../../task.ts";
import { isAbandoned, MAX_HAND_BACKS } from "../../shared/record.ts";
import { handedBackTooOften } from "../../shared/texts.ts";
import { capBackoff } from "../new_task.ts";
import type { Hold } from "../redis/records.ts";
import type { RedisStore } from "../redis/store.ts";

/**
 * The end of a run that still holds its job. `abandoned`: its code was given up and may run on. `not begun`: its worker stops,
 * and has not called the code.
 */
export type RunEnd =
  | { readonly kind: "settled"; readonly attempt: Attempt }
  | { readonly kind: "cancelled" | "handed back"; readonly abandoned: boolean }
  | { readonly kind: "not begun" };

/** The job of a run, and the token with which it is locked. */
export interface LockedJob {
  readonly job: Job;
  readonly token: string;
}

/** The same, as our records need it. */
export function holdOf({ job, token }: LockedJob): Hold {
  return { id: job.id ?? "", run: job.attemptsStarted, token };
}

/** Repeats a call until it succeeds. */
type Retry = <T>(act: () => Promise<T>) => Promise<T>;

/**
 * Ends a run as a processor does: resolves with what BullMQ is to store in the job, or rejects with an error for
 * BullMQ.
 */
export async function endRun(store: RedisStore, locked: LockedJob, end: RunEnd, retry: Retry): Promise<Json> {
  const { records, bullmq: { UnrecoverableError, WaitingError } } = store;
  const { job, token } = locked;
  const hold = holdOf(locked);
  const abandoned = end.kind === "settled" ? isAbandoned(end.attempt) : end.kind !== "not begun" && end.abandoned;
  if (abandoned) await retry(() => records.markAbandoned(hold));
  if (end.kind === "settled") return await settle(store, locked, end.attempt, retry);
  if (end.kind === "cancelled") {
    await retry(() => records.markStopped(hold));
    throw new UnrecoverableError(new TaskCancelled().message);
  }
  const times = end.kind === "not begun" ? 0 : await retry(() => records.markHandedBack(hold));
  if (times > MAX_HAND_BACKS) {
    return await settle(store, locked, { kind: "fault", message: handedBackTooOften(times) }, retry);
  }
  await job.moveToWait(token);
  throw new WaitingError();
}

async function settle(store: RedisStore, locked: LockedJob, attempt: Attempt, retry: Retry): Promise<Json> {
  const { records, bullmq: { UnrecoverableError } } = store;
  const { job } = locked;
  const hold = holdOf(locked);
  if (attempt.kind === "value") {
    return await retry(() => records.storeResult(hold, attempt));
  }
  if (attempt.kind === "fault") {
    await retry(() => records.markFault(hold, attempt.code));
    throw new UnrecoverableError(attempt.message);
  }
  if (!attempt.retry) throw new UnrecoverableError(attempt.message);
  // BullMQ's counts do not tell which of the two came last.
  if (job.stalledCounter > 0) await retry(() => records.markFailed(hold));
  capBackoff(job);
  throw new Error(attempt.message);
}
