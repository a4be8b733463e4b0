/**
 * Tasks as rows of PostgreSQL.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { expiresAt, isFinished, type TaskInfo } from "../../task.ts";
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
export function columnsOf(writes: readonly Write[]): readonly unknown[] {
  const text = (of: (write: Write) => string | null) => textArray(writes.map(of));
  return [
    writes.map(({ record: { info } }) => info.id),
    writes.map(({ version }) => version),
    text(({ record: { info } }) => JSON.stringify(info.owner)), // PostgreSQL does not take NUL, which JSON escapes.
    text(({ record: { info } }) => JSON.stringify(info)),
    text(({ record: { info: _, ...rest } }) => JSON.stringify(rest)),
    writes.map(({ record, before }) => placeOf(record, before)),
    text(({ record: { info } }) => info.job),
    writes.map(({ record }) => record.priority),
    writes.map(({ record }) => dueOf(record) ?? record.info.createdAt),
    writes.map(({ record }) => record.holder === undefined && dueOf(record) !== undefined),
    writes.map(({ record }) => record.holder ?? null),
    writes.map(({ version }) => version === 0 ? "i" : "o"),
    text(({ body }) => body ?? null),
    writes.map(({ record: { info } }) => deletedAt(info)),
    text(({ key }) => key ?? null),
  ];
}

/** When a finished task may be deleted, in ms since the epoch. */
function deletedAt(info: TaskInfo): number | null {
  const expired = expiresAt(info);
  return expired === undefined ? null : Math.min(expired + EXPIRED_TOLD_MS, LATEST_MS);
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

/** The type of the elements, in PostgreSQL's catalogue. */
const TEXT_OID = 25;

/** Dimensions, whether there are nulls, and the type; then the number of elements and the index of the first one. */
const HEADER_BYTES = 20;

/**
 * A `text[]` as PostgreSQL takes it in binary. In text, `npm:pg` would escape every quote of the JSON in it, and PostgreSQL
 * look for each: that was a fifth of what a write cost this process.
 */
export function textArray(values: readonly (string | null)[]): Uint8Array {
  const sizes = values.map((value) => value === null ? -1 : Buffer.byteLength(value));
  const array = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + 4 + Math.max(0, size), HEADER_BYTES));
  [1, 1, TEXT_OID, values.length, 1].forEach((field, index) => array.writeInt32BE(field, 4 * index));
  let at = HEADER_BYTES;
  for (const [index, value] of values.entries()) {
    array.writeInt32BE(sizes[index] ?? -1, at);
    at += 4;
    if (value !== null) at += array.write(value, at);
  }
  return array;
}
