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
import type { RedisStore } from "../redis/store.ts";

/** The end of a run that still holds its job. `abandoned`: its code was given up and may run on. */
export type RunEnd =
  | { readonly kind: "settled"; readonly attempt: Attempt }
  | { readonly kind: "cancelled" | "handed back"; readonly abandoned: boolean };

/** The job of a run, and the token with which it is locked. */
export interface LockedJob {
  readonly job: Job;
  readonly token: string;
}

/** Repeats a call until it succeeds. */
type Insist = <T>(act: () => Promise<T>) => Promise<T>;

/**
 * Ends a run as a processor does: resolves with what BullMQ is to store in the job, or rejects with an error for
 * BullMQ.
 */
export async function endRun(store: RedisStore, locked: LockedJob, end: RunEnd, insist: Insist): Promise<Json> {
  const { records, bullmq: { UnrecoverableError, WaitingError } } = store;
  const { job, token } = locked;
  const id = job.id ?? "";
  const abandoned = end.kind === "settled" ? isAbandoned(end.attempt) : end.abandoned;
  if (abandoned) await insist(() => records.markAbandoned(id));
  if (end.kind === "settled") return await settle(store, job, end.attempt, insist);
  if (end.kind === "cancelled") {
    await insist(() => records.cancel(id, "stopped"));
    throw new UnrecoverableError(new TaskCancelled().message);
  }
  const times = await insist(() => records.markHandedBack(id, job.attemptsStarted));
  if (times > MAX_HAND_BACKS) {
    return await settle(store, job, { kind: "fault", message: handedBackTooOften(times) }, insist);
  }
  await job.moveToWait(token);
  throw new WaitingError();
}

async function settle({ records, bullmq }: RedisStore, job: Job, attempt: Attempt, insist: Insist): Promise<Json> {
  const { UnrecoverableError } = bullmq;
  const id = job.id ?? "";
  if (attempt.kind === "value") {
    return await insist(() => records.storeResult(id, job.attemptsStarted, attempt.value));
  }
  if (attempt.kind === "fault") {
    await insist(() => records.markFault(id, job.attemptsStarted, attempt.code));
    throw new UnrecoverableError(attempt.message);
  }
  if (!attempt.retry) throw new UnrecoverableError(attempt.message);
  capBackoff(job);
  throw new Error(attempt.message);
}
