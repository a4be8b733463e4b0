/**
 * Times to come, on a clock that somebody may set back: two hours back, and what was due in a second would be due in two
 * hours. So no time counts that lies further ahead than it can.
 *
 * @module
 */
import { isFinished } from "../../task.ts";
import { backoff, type TaskRecord } from "./record.ts";

/** A time that was to come within `longest` ms: where it lies further ahead, it begins to run anew. */
export function credible(time: number, longest: number, now: number): number {
  return Math.min(time, now + longest);
}

/** A record whose task is due no later than it can be; the record given, if that is so. */
export function credibleDue(record: TaskRecord, now: number): TaskRecord {
  const { info } = record;
  if (isFinished(info) || info.dueAt === undefined) return record;
  const longest = longestWait(record, info.dueAt);
  const dueAt = credible(info.dueAt, longest, now);
  if (dueAt === info.dueAt) return record;
  return {
    ...record,
    ...(info.status === "PENDING" && { delay: longest }),
    info: { ...info, revision: info.revision + 1, dueAt },
  };
}

/** How long a waiting task may wait at most: its delay, or the pause after so many failures. */
function longestWait({ info, retry, crashes, delay }: TaskRecord, dueAt: number): number {
  if (info.status === "RETRYING") return backoff(retry, info.attempt - crashes, 1);
  // A record of an earlier version tells its delay by its times alone.
  return delay ?? Math.max(0, dueAt - info.createdAt);
}
