/**
 * Task records in KV: what is read is one entry, what is written is one `Write`, with everything that must change with
 * the record: where it is queued, and which large texts it refers to.
 *
 * @module
 */
import { BackendError, TaskExpired, TaskNotFound } from "../../errors.ts";
import { isTaskId } from "../../ids.ts";
import { toText } from "../../json.ts";
import { expiresAt, isFinished, type Json, type Outcome } from "../../task.ts";
import { EXPIRED_TOLD_MS, type TaskRecord } from "../record.ts";
import { type BlobRef, claimBlob, dropBlob, READ_AT_ONCE, readBlob, writeBlob } from "./blobs.ts";
import type { Committer, Write } from "./committer.ts";
import { delayedKey, readyKey, taskKey } from "./keys.ts";

/** A JSON text: in the record while it is small, else in pieces. */
type Text = { readonly inline: string } | { readonly blob: BlobRef };

/** What the KV value of a task holds. */
export interface StoredTask {
  readonly record: TaskRecord;
  readonly input: Text;
  readonly outcome?: Text;
}

/** A stored task and the version that it was read or written at. */
export interface Entry {
  readonly stored: StoredTask;
  readonly versionstamp: string;
}

/** Where a delayed task goes once it is due. */
export interface Delayed {
  readonly owner: string;
  readonly job: string;
  readonly priority: number;
}

/** The longest text kept in the record, in UTF-16 units: input and outcome together stay far below KV's 65,536 bytes. */
const INLINE_LIMIT = 8_000;

/** Reads and writes task records. */
export class TaskStore {
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;

  /** Takes the file and its committer. */
  constructor(kv: Deno.Kv, committer: Committer) {
    this.#kv = kv;
    this.#committer = committer;
  }

  /** Reads a task for its owner. Rejects with `TaskNotFound` or `TaskExpired`. */
  async find(id: string, owner: string): Promise<Entry> {
    // What is no id of ours may be too long for a key.
    const entry = isTaskId(id) ? await this.read(id, owner) : undefined;
    if (entry === undefined) throw new TaskNotFound(id);
    if (hasExpired(entry.stored.record)) throw new TaskExpired(id);
    return entry;
  }

  /** Reads a task, if it is there. */
  async read(id: string, owner: string): Promise<Entry | undefined> {
    const { value, versionstamp } = await this.#kv.get<StoredTask>(taskKey(owner, id));
    return value === null ? undefined : { stored: value, versionstamp };
  }

  /** Reads many tasks, each in its place of the answer. */
  async readMany(tasks: readonly { readonly id: string; readonly owner: string }[]): Promise<(Entry | undefined)[]> {
    const keys = tasks.map(({ id, owner }) => taskKey(owner, id));
    const groups = Array.from(
      { length: Math.ceil(keys.length / READ_AT_ONCE) },
      (_, group) => this.#kv.getMany<StoredTask[]>(keys.slice(group * READ_AT_ONCE, (group + 1) * READ_AT_ONCE)),
    );
    return (await Promise.all(groups)).flat()
      .map(({ value, versionstamp }) => value === null ? undefined : { stored: value, versionstamp });
  }

  /** Writes a new task. */
  async create(record: TaskRecord, input: Json): Promise<void> {
    const text = await this.#keep(toText(input, "The input"));
    await this.#committer.commit(this.#write({ record, input: text }, undefined, claims(text)));
  }

  /**
   * Writes a change of an entry. Resolves with the entry as it is now, or with `undefined` if somebody else has changed
   * the task since it was read; nothing is written then.
   */
  async change(entry: Entry, record: TaskRecord, outcome?: Outcome): Promise<Entry | undefined> {
    const finished = isFinished(record.info);
    const text = outcome && await this.#keep(JSON.stringify(outcome), record.info.resultTtl);
    const stored: StoredTask = { record, input: entry.stored.input, ...(text && { outcome: text }) };
    const write = this.#write(stored, entry, {
      ...claims(text),
      sets: finished && "blob" in stored.input ? dropBlob(stored.input.blob, Date.now()) : [],
    });
    const versionstamp = await this.#committer.commit(write);
    return versionstamp === null ? undefined : { stored, versionstamp };
  }

  /** Takes a ready task for a worker: as `change`, but it is the place in the queue that must not have changed. */
  async claim(entry: Entry, record: TaskRecord, ready: Deno.AtomicCheck): Promise<Entry | undefined> {
    const stored: StoredTask = { ...entry.stored, record };
    const versionstamp = await this.#committer.commit({ ...this.#write(stored, entry, {}), checks: [ready] });
    return versionstamp === null ? undefined : { stored, versionstamp };
  }

  /** Reads the input of a task. */
  async input(entry: Entry): Promise<Json> {
    return await this.#load(entry.stored.input, `the input of task ${entry.stored.record.info.id}`);
  }

  /** Reads how a task ended; `undefined` while nothing is stored. */
  async outcome(entry: Entry): Promise<Outcome | undefined> {
    const { outcome, record } = entry.stored;
    return outcome && await this.#load(outcome, `the result of task ${record.info.id}`);
  }

  async #keep(text: string, ttl?: number): Promise<Text> {
    if (text.length <= INLINE_LIMIT) return { inline: text };
    return { blob: await writeBlob(this.#committer, text, ttl && ttl + EXPIRED_TOLD_MS) };
  }

  async #load<T>(text: Text, what: string): Promise<T> {
    const json = "inline" in text ? text.inline : await readBlob(this.#kv, text.blob);
    if (json === undefined) throw new BackendError(`Cannot read ${what}: a piece of it is missing in the KV file.`);
    return JSON.parse(json);
  }

  /** The write of a record: checked against the entry, moved from its old place in the queues to its new one. */
  #write(stored: StoredTask, entry: Entry | undefined, more: Pick<Write, "sets" | "deletes">): Write {
    const { record } = stored;
    const { id, owner, job, resultTtl } = record.info;
    const key = taskKey(owner, id);
    const expireIn = isFinished(record.info) ? resultTtl + EXPIRED_TOLD_MS : undefined;
    const place = placeOf(record);
    return {
      checks: entry && [{ key, versionstamp: entry.versionstamp }],
      sets: [{ key, value: stored, expireIn }, ...(place ? [{ ...place }] : []), ...more.sets ?? []],
      deletes: [...entry ? placesOf(entry.stored.record) : [], ...more.deletes ?? []]
        .filter((gone) => place === undefined || gone.join() !== place.key.join()),
      event: record.info,
      bytes: 2 * (textLength(stored.input) + textLength(stored.outcome)) + 1_500 + 2 * job.length,
    };
  }
}

/** Whether a record's time is over. */
export function hasExpired({ info }: TaskRecord): boolean {
  const end = expiresAt(info);
  return end !== undefined && end <= Date.now();
}

/** Where a record waits: among the ready, among the delayed, or, while it runs and when it is finished, nowhere. */
function placeOf({ info, priority, dueAt }: TaskRecord): { key: Deno.KvKey; value: string | Delayed } | undefined {
  const { owner, job, id, status } = info;
  if (dueAt !== undefined) return { key: delayedKey(dueAt, id), value: { owner, job, priority } };
  if (status === "PENDING") return { key: readyKey(job, priority, id), value: owner };
}

/** Where a record may wait: a delayed one is among the ready once it is due. */
function placesOf({ info, priority, dueAt }: TaskRecord): Deno.KvKey[] {
  if (info.status !== "PENDING" && info.status !== "RETRYING") return [];
  return [readyKey(info.job, priority, info.id), ...dueAt === undefined ? [] : [delayedKey(dueAt, info.id)]];
}

function claims(text: Text | undefined): Pick<Write, "deletes"> {
  return { deletes: text && "blob" in text ? claimBlob(text.blob) : [] };
}

function textLength(text: Text | undefined): number {
  return text && "inline" in text ? text.inline.length : 0;
}
