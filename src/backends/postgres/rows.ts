/**
 * Tasks as rows of PostgreSQL.
 *
 * @module
 */
import { expiresAt, isFinished, type Json, type TaskInfo, TOMBSTONE_MS } from "../../task.ts";
import type { LogLine } from "../../backend.ts";
import { LATEST_DATE_MS } from "../../waiting.ts";
import { claimed, type TaskRecord } from "../shared/record.ts";
import type { KeyCondition } from "../shared/store/store.ts";

/** A task, with the version that it was read or written at. */
export interface PgEntry {
  readonly record: TaskRecord;
  readonly version: number;
  /** The word for the state in which it is stored. */
  readonly state: string;
  /** Its input, where that came with it. */
  readonly input?: Json;
  /** How it ended, as JSON, where that came with it. */
  readonly outcome?: string;
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

export interface NewRow {
  readonly record: TaskRecord;
  /** As JSON. */
  readonly input: string;
  /** What must hold of a key of its owner. */
  readonly condition?: KeyCondition;
  /** The worker of this process that claims it at once. */
  readonly worker?: string;
}

export interface Change {
  /** The task as it was read. */
  readonly before: PgEntry;
  readonly record: TaskRecord;
  /** How it ended, as JSON. */
  readonly outcome?: string;
  /** Lines to be added to its log. */
  readonly lines?: readonly LogLine[];
}

/** The longest JSON of an outcome that comes with its task, in bytes, or with the event of its end, in UTF-16 units. */
export const SMALL_OUTCOME = 8_000;

/** Sorts before every id. */
export const FIRST_ID = "00000000-0000-0000-0000-000000000000";

/** Sorts behind every id. */
export const LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";

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

/** From when on a worker may claim a task, in ms since the epoch; `undefined` where it does not wait for one. */
export function dueOf({ holder, info }: TaskRecord): number | undefined {
  if (holder !== undefined || isFinished(info)) return undefined;
  return info.dueAt ?? (info.parked ? undefined : info.createdAt);
}

/** When a finished task may be deleted, in ms since the epoch. */
export function deletedAt(info: TaskInfo): number | undefined {
  const expired = expiresAt(info);
  return expired === undefined ? undefined : Math.min(expired + TOMBSTONE_MS, LATEST_DATE_MS);
}
