/**
 * Tasks as rows of PostgreSQL.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { expiresAt, isFinished, type Json, type TaskInfo, TOMBSTONE_MS } from "../../task.ts";
import type { LogLine } from "../../backend.ts";
import { sizeOf } from "../../task_log/newest_lines.ts";
import { stateOf } from "./operating/states.ts";
import { claimed, type TaskRecord, urgencyOf } from "../shared/record.ts";

/** A task, with the version that it was read or written at. */
export interface PgEntry {
  readonly record: TaskRecord;
  readonly version: number;
  /** The word for the state in which it is stored. */
  readonly state: string;
  /** Its input, where that came with it. */
  readonly input?: Json;
}

/** A row of `tasks`, read with {@linkcode TASK_COLUMNS}. */
export interface TaskRow {
  readonly version: number;
  readonly state: string;
  readonly record: string;
  readonly holder: string | null;
  readonly claimedAt: number | null;
}

export const TASK_COLUMNS = `version, state, record, holder, claimed_at AS "claimedAt"`;

/** One change of one task. */
export interface Write {
  readonly record: TaskRecord;
  /** The version that the task was read at; 0 for a new one. */
  readonly version: number;
  /** The record as it was read, and the word for the state in which it was stored; absent for a new task. */
  readonly before?: Pick<PgEntry, "record" | "state">;
  /** The input of a new task, or how it ended: JSON text. */
  readonly body?: string;
  /** The key that must name a new task. */
  readonly key?: string;
  /** Lines to be added to its log. */
  readonly lines?: readonly LogLine[];
}

/** The latest time of PostgreSQL that JavaScript can name, in ms since the epoch. */
const LATEST_MS = 8.64e15;

/** The task of a row. */
export function entryOf({ version, state, record, holder, claimedAt }: TaskRow): PgEntry {
  return { version, state, record: recordOf(JSON.parse(record), holder, claimedAt) };
}

/**
 * The record of a task, from what is stored. A claim stores only who claimed the task, and when: every reader makes the
 * same record of it.
 */
export function recordOf(stored: TaskRecord, holder: string | null, claimedAt: number | null): TaskRecord {
  return holder === null || claimedAt === null ? stored : claimed(stored, holder, claimedAt);
}

/** The columns of `input` in the statement that writes. */
export function columnsOf(writes: readonly Write[]): readonly unknown[] {
  const plain = (of: (write: Write) => string | number | boolean | null) =>
    `{${writes.map((write) => of(write) ?? "NULL").join()}}`;
  const text = (of: (write: Write) => string | null) => textArray(writes.map(of));
  return [
    plain(({ record }) => record.info.id),
    plain(({ version }) => version),
    text(({ record: { info }, version }) => version > 0 ? null : JSON.stringify(info.owner)), // PostgreSQL takes no NUL.
    text(({ record }) => JSON.stringify(record)),
    plain(({ record }) => record.holder ?? null),
    text(({ record: { info } }) => info.job),
    plain(({ record }) => urgencyOf(record)),
    plain(({ record }) => dueOf(record) ?? null),
    plain(({ record: { info } }) => "dueAt" in info && info.dueAt !== undefined),
    plain(({ record, before }) => urgencyOf(before?.record ?? record)),
    plain(({ before }) => before && dueOf(before.record) || null),
    text(({ body }) => body ?? null),
    plain(({ record: { info } }) => deletedAt(info)),
    text(({ key }) => key ?? null),
    plain(({ record }) => stateOf(record.info)),
    plain(({ before }) => before?.state ?? null),
  ];
}

/** The columns that are added to these where tasks log. */
export function logColumnsOf(writes: readonly Write[]): readonly unknown[] {
  const logs = writes.map(({ lines = [] }) => lines);
  return [
    textArray(logs.map((lines) => lines.length === 0 ? null : JSON.stringify(lines))),
    logs.map(({ length }) => length),
    logs.map((lines) => lines.reduce((sum, line) => sum + sizeOf(line), 0)),
  ];
}

/** From when on a worker may claim a task, in ms since the epoch; `undefined` where it does not wait for one. */
function dueOf({ holder, info }: TaskRecord): number | undefined {
  if (holder !== undefined || isFinished(info)) return undefined;
  return info.dueAt ?? (info.parked ? undefined : info.createdAt);
}

/** When a finished task may be deleted, in ms since the epoch. */
function deletedAt(info: TaskInfo): number | null {
  const expired = expiresAt(info);
  return expired === undefined ? null : Math.min(expired + TOMBSTONE_MS, LATEST_MS);
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
