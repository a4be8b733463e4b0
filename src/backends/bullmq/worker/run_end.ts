/**
 * How a run ends: first what our record needs, then what BullMQ is to do with the job.
 *
 * @module
 */
import type { Job } from "bullmq";
import type { Attempt } from "../../../backend.ts";
import { TaskCancelled } from "../../../errors.ts";
import type { Json } from "../../../task.ts";
import { MAX_HAND_BACKS } from "../../shared/record.ts";
import { handedBackTooOften } from "../../shared/texts.ts";
import { capBackoff } from "../new_task.ts";
import type { Hold } from "../redis/records.ts";
import type { RedisStore } from "../redis/store.ts";

/**
 * The end of a run that still holds its job. `abandoned`: its code was given up and may run on. `not begun`: its worker stops,
 * and has not called the code.
 */
export type RunEnd =
  & { readonly abandoned: boolean }
  & (
    | { readonly kind: "settled"; readonly attempt: Attempt }
    | { readonly kind: "cancelled" | "handed back" | "not begun" }
  );

/** What a run holds: its job, under the token with which its worker has locked it. */
export function holdOf(job: Job, token: string): Hold {
  return { id: job.id ?? "", run: job.attemptsStarted, token };
}

/** Repeats a call until it succeeds. */
type Retry = <T>(act: () => Promise<T>) => Promise<T>;

/**
 * Ends a run as a processor does: resolves with what BullMQ is to store in the job, or rejects with an error for
 * BullMQ.
 */
export async function endRun(store: RedisStore, job: Job, hold: Hold, end: RunEnd, retry: Retry): Promise<Json> {
  const { records, bullmq: { UnrecoverableError, WaitingError } } = store;
  if (end.abandoned) await retry(() => records.markAbandoned(hold));
  if (end.kind === "settled") return await settle(store, job, hold, end.attempt, retry);
  if (end.kind === "cancelled") {
    await retry(() => records.markStopped(hold));
    throw new UnrecoverableError(new TaskCancelled().message);
  }
  const times = end.kind === "not begun" ? 0 : await retry(() => records.markHandedBack(hold));
  if (times > MAX_HAND_BACKS) {
    return await settle(store, job, hold, { kind: "fault", message: handedBackTooOften(times) }, retry);
  }
  await job.moveToWait(hold.token);
  throw new WaitingError();
}

async function settle(store: RedisStore, job: Job, hold: Hold, attempt: Attempt, retry: Retry): Promise<Json> {
  const { records, bullmq: { UnrecoverableError } } = store;
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
