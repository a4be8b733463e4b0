/**
 * What the KV file holds of one task, and the writes that change it. The record, its place in the queues and the indexes,
 * the counters and the large texts that it refers to change in one commit.
 *
 * @module
 */
import { dueAtOf, type TaskRecord, urgencyOf } from "../shared/record.ts";
import type { BlobRef, Text } from "./values/blobs.ts";
import type { Write } from "./committer.ts";
import { delayedKey, readyKey, taskKey } from "./keys.ts";
import { counting } from "./operating/counts.ts";
import { indexing, raising } from "./operating/indexes.ts";
import { expiryOf } from "./operating/retention.ts";

/** What the KV value of a task holds; the texts are JSON. */
export interface StoredTask {
  readonly record: TaskRecord;
  readonly input: Text;
  readonly outcome?: Text;
  /** It waits for a worker and may have recorded steps. Without this mark, its next run and its end need not search for any. */
  readonly mayHaveSteps?: true;
}

/**
 * A task, with the check that it has not changed since it was read. A task found in a queue is checked by its place there,
 * which is as good: every change of a waiting task rewrites or deletes its place together with the record.
 */
export interface KvEntry extends StoredTask {
  readonly check: Deno.AtomicCheck;
  /** All its recorded steps, where they are known. All entries of one claim share it. */
  readonly steps?: KnownSteps;
}

/** The numbers of recorded steps, and the pieces of large ones. */
export type KnownSteps = Map<number, BlobRef | undefined>;

/** The recorded steps of a task; `undefined` if they are not known. */
export function knownStepsOf({ record: { holder }, steps, mayHaveSteps }: KvEntry): KnownSteps | undefined {
  return steps ?? (holder === undefined && !mayHaveSteps ? new Map() : undefined);
}

/** Writes a task, and moves it from its old place in the queues to its new one. */
export function writing(stored: StoredTask, before: TaskRecord | undefined): Write {
  const { record: { info }, outcome } = stored;
  const key = taskKey(info.owner, info.id);
  const place = placeOf(stored.record);
  const text = JSON.stringify(info);
  const indexed = indexing(info, before?.info);
  return {
    sets: [
      { key, value: stored, expireIn: expiryOf(info) },
      ...place ? [{ key: place, value: stored }] : [],
      ...indexed.sets,
    ],
    deletes: [...before ? placesOf(before).filter((gone) => gone.join() !== place?.join()) : [], ...indexed.deletes],
    counts: counting(info, before?.info),
    ...before === undefined && raising(info),
    event: { task: info, text, ...(outcome && "inline" in outcome && { outcome: JSON.parse(outcome.inline) }) },
    bytes: sizeOf(stored, text) * (place ? 2 : 1) + indexed.bytes,
  };
}

/** Moves a delayed task to the ready ones, unless it has changed. */
export function promoting({ check, ...stored }: KvEntry): Write {
  const { record } = stored;
  return {
    checks: [check],
    deletes: [check.key],
    sets: [{ key: readyPlace(record), value: stored }],
    bytes: sizeOf(stored, JSON.stringify(record.info)),
  };
}

/** The place of a record in the queues: among the ready or the delayed; none while it runs and once it is finished. */
function placeOf(record: TaskRecord): Deno.KvKey | undefined {
  const dueAt = dueAtOf(record);
  if (dueAt !== undefined) return delayedKey(dueAt, record.info.id);
  return record.info.status === "PENDING" ? readyPlace(record) : undefined;
}

function readyPlace(record: TaskRecord): Deno.KvKey {
  return readyKey(record.info.job, urgencyOf(record), record.info.id);
}

/** Where a record may be in the queues: a delayed one is among the ready once it is due. */
function placesOf(record: TaskRecord): Deno.KvKey[] {
  const place = placeOf(record);
  if (place === undefined) return [];
  return dueAtOf(record) === undefined ? [place] : [readyPlace(record), place];
}

/** An upper bound of a record's size, in bytes: two for each UTF-16 unit, and some for the rest. */
function sizeOf({ record, input, outcome }: StoredTask, info: string): number {
  const answers = record.answers === undefined ? "" : JSON.stringify(record.answers);
  const texts = [input, outcome].map((text) => text && "inline" in text ? text.inline.length : 0);
  return 2 * texts.reduce((sum, length) => sum + length, info.length + answers.length + 500);
}
