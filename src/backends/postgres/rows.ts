/**
 * Tasks as rows of PostgreSQL.
 *
 * @module
 */
import { expiresAt, isFinished } from "../../task.ts";
import { EXPIRED_TOLD_MS, type TaskRecord } from "../shared/record.ts";

/** A task, with the version that it was read or written at. */
export interface PgEntry {
  readonly record: TaskRecord;
  readonly version: number;
  /** Its input as JSON, where it is known. */
  readonly input?: string;
}

/** A row of `tasks`. */
export interface TaskRow {
  readonly id: string;
  readonly version: number;
  readonly info: string;
  readonly rest: string;
}

/** One change of one task. */
export interface Write {
  readonly record: TaskRecord;
  /** The version that the task was read at; 0 for a new one. */
  readonly version: number;
  /** The record before. Without it, the place in the queue is always written. */
  readonly before?: TaskRecord;
  /** The input of a new task, or how it ended: JSON text. */
  readonly body?: string;
  /** The key that must name a new task. */
  readonly key?: string;
}

/** Where a task stands in the queue after a write. */
export const Place = { SAME: 0, QUEUED: 1, GONE: 2 } as const;

/** The latest time of PostgreSQL that JavaScript can name, in ms since the epoch. */
const LATEST_MS = 8.64e15;

/** The task in a row. */
export function entryOf({ info, rest, version }: TaskRow): PgEntry {
  return { record: { info: JSON.parse(info), ...JSON.parse(rest) }, version };
}

/** The columns of `input` in the statement that writes. */
export function columnsOf(writes: readonly Write[]): unknown[][] {
  const rows = writes.map(({ record, version, before, body, key }) => {
    const { info, ...rest } = record;
    const ended = expiresAt(info);
    return [
      info.id,
      version,
      JSON.stringify(info.owner), // PostgreSQL does not take NUL, which JSON escapes.
      JSON.stringify(info),
      JSON.stringify(rest),
      placeOf(record, before),
      info.job,
      record.priority,
      dueOf(record) ?? info.createdAt,
      record.holder === undefined && dueOf(record) !== undefined,
      record.holder ?? null,
      version === 0 ? "i" : "o",
      body ?? null,
      ended === undefined ? null : Math.min(ended + EXPIRED_TOLD_MS, LATEST_MS),
      key ?? null,
    ];
  });
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
}

function placeOf(record: TaskRecord, before: TaskRecord | undefined): number {
  if (isFinished(record.info)) return Place.GONE;
  const same = before !== undefined && before.holder === record.holder && dueOf(before) === dueOf(record);
  // Whoever claims a task has put its name into the queue before.
  const claimed = before !== undefined && before.holder === undefined && record.holder !== undefined;
  return same || claimed ? Place.SAME : Place.QUEUED;
}

function dueOf({ info }: TaskRecord): number | undefined {
  return isFinished(info) ? undefined : info.dueAt;
}
