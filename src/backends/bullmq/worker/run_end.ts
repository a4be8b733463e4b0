/**
 * How a run ends: what our record has to say first, and what BullMQ is to make of it then.
 *
 * @module
 */
import type { Job } from "bullmq";
import type { Attempt } from "../../../backend.ts";
import { TaskCancelled } from "../../../errors.ts";
import type { Json } from "../../../task.ts";
import { isAbandoned, MAX_HAND_BACKS } from "../../shared/record.ts";
import { handedBackTooOften } from "../../shared/texts.ts";
import type { Store } from "../database.ts";
import { capBackoff } from "../new_task.ts";

/** How a run ends that still holds its job. `abandoned`: its code was given up, and may run on. */
export type RunEnd =
  | { readonly kind: "settled"; readonly attempt: Attempt }
  | { readonly kind: "stopped" | "handed back"; readonly abandoned: boolean };

/** The job of a run, and the token that it is locked with. */
export interface HeldJob {
  readonly job: Job;
  readonly token: string;
}

/** Does a thing until the store has done it. */
type Insist = <T>(act: () => Promise<T>) => Promise<T>;

/** Ends a run as a processor of BullMQ does: resolves with what is to stand in the job, or rejects with what BullMQ knows. */
export async function endRun(store: Store, held: HeldJob, end: RunEnd, insist: Insist): Promise<Json> {
  const { records, bullmq: { UnrecoverableError, WaitingError } } = store;
  const { job, token } = held;
  const id = job.id ?? "";
  const abandoned = end.kind === "settled" ? isAbandoned(end.attempt) : end.abandoned;
  if (abandoned) await insist(() => records.markAbandoned(id));
  if (end.kind === "settled") return await settle(store, job, end.attempt, insist);
  if (end.kind === "stopped") {
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

async function settle({ records, bullmq }: Store, job: Job, attempt: Attempt, insist: Insist): Promise<Json> {
  const { UnrecoverableError } = bullmq;
  const id = job.id ?? "";
  if (attempt.kind === "value") {
    const text = JSON.stringify(attempt.value);
    if (text.length <= records.maxInline) return attempt.value;
    return await insist(() => records.keepResult(id, job.attemptsStarted, text));
  }
  if (attempt.kind === "fault") {
    await insist(() => records.markFault(id, job.attemptsStarted, attempt.code));
    throw new UnrecoverableError(attempt.message);
  }
  if (!attempt.retry) throw new UnrecoverableError(attempt.message);
  capBackoff(job);
  throw new Error(attempt.message);
}
