/**
 * Undoes the claim of a task whose code has not run: the store's answer was lost, or the input could not be read.
 *
 * @module
 */
import { isFinished } from "../../task.ts";
import { beforeClaim, cancelledNow, type Ended, type TaskRecord } from "./record.ts";

/**
 * The task waits again, for at least `pause` ms, as if it had not been claimed: this costs neither an attempt nor a
 * hand-back. If it was asked to stop meanwhile, it is cancelled.
 */
export function unclaimed(record: TaskRecord, now: number, pause: number = 0): Ended {
  const { info } = record;
  if (isFinished(info)) throw new Error(`Task ${info.id} is ${info.status} and never changes.`);
  const waiting: TaskRecord = {
    ...record,
    holder: undefined,
    // With this the wait can be corrected if the clock is set back.
    ...(pause > 0 && { delay: pause }),
    info: {
      ...info,
      status: "PENDING",
      attempt: beforeClaim(record),
      revision: info.revision + 1,
      updatedAt: Math.max(now, info.updatedAt),
      ...(pause > 0 && { dueAt: now + pause }),
    },
  };
  return { record: info.stopRequested ? cancelledNow(waiting, now) : waiting };
}
