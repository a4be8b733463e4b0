/**
 * Due times on a clock that may be set back. If it is set back by two hours, what was due in a second would be due in two
 * hours. So a time that is further ahead than possible is corrected.
 *
 * @module
 */
import { isFinished } from "../../task.ts";
import { backoff, type TaskRecord } from "./record.ts";

/** A time that is at most `longest` ms ahead of now: if it is further ahead, the wait starts anew. */
export function credible(time: number, longest: number, now: number): number {
  return Math.min(time, now + longest);
}

/** A record with a corrected due time; the same record, if nothing is to be corrected. */
export function credibleDue(record: TaskRecord, now: number): TaskRecord {
  const { info } = record;
  // A parked task waits for a date, whatever the clock does.
  if (isFinished(info) || info.dueAt === undefined || info.parked) return record;
  const longest = longestWait(record);
  const dueAt = credible(info.dueAt, longest, now);
  if (dueAt === info.dueAt) return record;
  return { ...record, info: { ...info, revision: info.revision + 1, dueAt } };
}

/** The longest that a waiting task can have to wait: its delay, or the pause after so many failures. */
function longestWait({ info, retry, crashes, delay = 0 }: TaskRecord): number {
  return info.status === "RETRYING" ? backoff(retry, info.attempt - crashes, 1) : delay;
}
