/**
 * What becomes of a task whose claim has come to nothing before its code ran: the answer of the store was lost, or the
 * input could not be read.
 *
 * @module
 */
import { isFinished } from "../../task.ts";
import { cancelledNow, type Ended, type TaskRecord } from "./record.ts";

/**
 * The task waits again, for at least `pause` ms, as if nobody had claimed it: that takes neither an attempt nor a
 * hand-back. A task that was asked to stop meanwhile is cancelled.
 */
export function unclaimed(record: TaskRecord, now: number, pause: number = 0): Ended {
  const { info } = record;
  if (isFinished(info)) throw new Error(`Task ${info.id} is ${info.status} and never changes.`);
  const waiting: TaskRecord = {
    ...record,
    holder: undefined,
    // So that its wait is known where the clock is set back.
    ...(pause > 0 && { delay: pause }),
    info: {
      ...info,
      status: "PENDING",
      attempt: info.attempt - 1,
      revision: info.revision + 1,
      updatedAt: Math.max(now, info.updatedAt),
      ...(pause > 0 && { dueAt: now + pause }),
    },
  };
  return { record: info.stopRequested ? cancelledNow(waiting, now) : waiting };
}
