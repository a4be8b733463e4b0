/**
 * Undoes the claim of a task whose code has not run: the store's answer was lost, or the input could not be read.
 *
 * @module
 */
import { live, next } from "./changes/task_record.ts";
import { beforeClaim, cancelledNow, type Ended, type TaskRecord } from "./record.ts";

/**
 * The task waits again, for at least `pause` ms, as if it had not been claimed: this costs neither an attempt nor a
 * hand-back. If it was asked to stop meanwhile, it is cancelled.
 */
export function unclaimed(record: TaskRecord, now: number, pause: number = 0): Ended {
  const info = live(record);
  const change = { status: "PENDING", attempt: beforeClaim(record), ...(pause > 0 && { dueAt: now + pause }) } as const;
  // With its delay the wait can be corrected if the clock is set back.
  const delay = pause > 0 && { delay: pause };
  const waiting: TaskRecord = { ...record, holder: undefined, ...delay, info: next(info, now, change) };
  return { record: info.stopRequested ? cancelledNow(waiting, now) : waiting };
}
