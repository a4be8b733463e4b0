/**
 * Task records in KV: what is read is one entry, what is written is one `Write`, with everything that must change with
 * the record: where it is queued, and which large texts it refers to.
 *
 * @module
 */
import type { TaskPage } from "../../backend.ts";
import { BackendError, TaskExpired, TaskNotFound } from "../../errors.ts";
import { isTaskId, NO_TASK } from "../../ids.ts";
import { toText } from "../../json.ts";
import { hasExpired, isFinished, type Json, type Outcome, type TaskInfo } from "../../task.ts";
import { EXPIRED_TOLD_MS, type TaskRecord } from "../shared/record.ts";
import { batched } from "../shared/batch.ts";
import { type BlobRef, claimBlob, dropBlob, READ_AT_ONCE, readBlob, writeBlob } from "./blobs.ts";
import { type Committer, reading, type Write } from "./committer.ts";
import { delayedKey, readyKey, taskKey } from "./keys.ts";
import { expiryIn } from "./room.ts";

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

/** The longest text kept in the record, in UTF-16 units: input and outcome together stay far below KV's 65,536 bytes. */
const INLINE_LIMIT = 8_000;

/** Reads and writes task records. */
export class TaskStore {
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;
  readonly #read: (key: Deno.KvKey) => Promise<Entry | undefined>;

  /** Takes the file and its committer. */
  constructor(kv: Deno.Kv, committer: Committer) {
    this.#kv = kv;
    this.#committer = committer;
    this.#read = batched((keys) => this.#readMany(keys), READ_AT_ONCE);
  }

  /** Reads a task for its owner. Rejects with `TaskNotFound` or `TaskExpired`. */
  async find(id: string, owner: string): Promise<Entry> {
    // What is no id of ours may be too long for a key. It costs the same read, so that nobody learns from the time.
    const entry = await this.read(isTaskId(id) ? id : NO_TASK, owner);
    if (entry === undefined) throw new TaskNotFound(id);
    if (hasExpired(entry.stored.record.info, Date.now())) throw new TaskExpired(id);
    return entry;
  }

  /** Reads a task, if it is there. */
  read(id: string, owner: string): Promise<Entry | undefined> {
    return this.#read(taskKey(owner, id));
  }

  /** Lists an owner's tasks before the cursor, the newest first. */
  page(owner: string, cursor: string | undefined, limit: number): Promise<TaskPage> {
    const prefix = taskKey(owner);
    const range = cursor === undefined ? { prefix } : { prefix, end: taskKey(owner, cursor) };
    return reading(() => this.#page(range, limit));
  }

  /** Writes a new task. */
  async create(record: TaskRecord, input: Json): Promise<void> {
    const text = await this.#keep(toText(input, "The input"));
    await this.#committer.commit({ ...this.#write({ record, input: text }, undefined), deletes: claims(text) });
  }

  /**
   * Writes a change of an entry. Resolves with the entry as it is now, or with `undefined` if somebody else has changed
   * the task since it was read; nothing is written then.
   */
  async change(entry: Entry, record: TaskRecord, outcome?: Outcome): Promise<Entry | undefined> {
    const { input, record: before } = entry.stored;
    const text = outcome && await this.#keep(JSON.stringify(outcome), keptFor(record.info));
    const stored: StoredTask = { record, input, ...(text && { outcome: text }) };
    const { sets = [], deletes = [], ...write } = this.#write(stored, before);
    const inputIsDone = isFinished(record.info) && "blob" in input;
    const versionstamp = await this.#committer.commit({
      ...write,
      checks: [{ key: taskKey(record.info.owner, record.info.id), versionstamp: entry.versionstamp }],
      sets: [...sets, ...inputIsDone ? dropBlob(input.blob, Date.now()) : []],
      deletes: [...deletes, ...claims(text)],
    });
    return versionstamp === null ? undefined : { stored, versionstamp };
  }

  /**
   * Takes a ready task for a worker: as `change`, but it is the place in the queue that must not have changed. That is
   * as good: every change of a task that waits writes its place anew, or deletes it, in the same commit as the record.
   */
  claim(ready: StoredTask, record: TaskRecord, check: Deno.AtomicCheck): Promise<Entry | undefined> {
    return this.#changeWaiting(ready, record, check);
  }

  /** Gives a delayed task another time, unless somebody else has changed it. */
  async redate(delayed: StoredTask, record: TaskRecord, check: Deno.AtomicCheck): Promise<void> {
    await this.#changeWaiting(delayed, record, check);
  }

  /** Moves a delayed task that is due to the ready ones, unless somebody else has done so or it is cancelled. */
  async promote(delayed: StoredTask, check: Deno.AtomicCheck): Promise<void> {
    const { priority, info } = delayed.record;
    const key = readyKey(info.job, priority, info.id);
    await this.#committer.commit({
      checks: [check],
      deletes: [check.key],
      sets: [{ key, value: delayed }],
      bytes: sizeOf(delayed, JSON.stringify(info)),
    });
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

  async #changeWaiting(
    waiting: StoredTask,
    record: TaskRecord,
    check: Deno.AtomicCheck,
  ): Promise<Entry | undefined> {
    const stored: StoredTask = { ...waiting, record };
    const versionstamp = await this.#committer.commit({ ...this.#write(stored, waiting.record), checks: [check] });
    return versionstamp === null ? undefined : { stored, versionstamp };
  }

  async #page(range: Deno.KvListSelector, limit: number): Promise<TaskPage> {
    const tasks: TaskInfo[] = [];
    for await (const { value } of this.#kv.list<StoredTask>(range, { reverse: true })) {
      if (hasExpired(value.record.info, Date.now())) continue;
      if (tasks.length === limit) return { tasks, nextCursor: tasks.at(-1)?.id };
      tasks.push(value.record.info);
    }
    return { tasks };
  }

  async #readMany(keys: readonly Deno.KvKey[]): Promise<readonly (Entry | undefined)[]> {
    const found = await reading(() => this.#kv.getMany<StoredTask[]>(keys));
    return found.map(({ value, versionstamp }) => value === null ? undefined : { stored: value, versionstamp });
  }

  async #keep(text: string, expireIn?: number): Promise<Text> {
    if (text.length <= INLINE_LIMIT) return { inline: text };
    return { blob: await writeBlob(this.#committer, text, expireIn) };
  }

  async #load<T>(text: Text, what: string): Promise<T> {
    const json = "inline" in text ? text.inline : await readBlob(this.#kv, text.blob);
    if (json === undefined) throw new BackendError(`Cannot read ${what}: a piece of it is missing in the KV file.`);
    return JSON.parse(json);
  }

  /** The write of a record, moved from its old place in the queues to its new one. */
  #write(stored: StoredTask, before: TaskRecord | undefined): Write {
    const { info } = stored.record;
    const key = taskKey(info.owner, info.id);
    const expireIn = isFinished(info) ? keptFor(info) : undefined;
    const place = placeOf(stored.record);
    const text = JSON.stringify(info);
    return {
      sets: [{ key, value: stored, expireIn }, ...place ? [{ key: place, value: stored }] : []],
      deletes: before ? placesOf(before).filter((gone) => gone.join() !== place?.join()) : [],
      event: { task: info, text },
      bytes: sizeOf(stored, text) * (place ? 2 : 1),
    };
  }
}

/** How long KV is to keep a task once it is finished, in ms. */
function keptFor({ resultTtl }: TaskInfo): number {
  return expiryIn(resultTtl + EXPIRED_TOLD_MS);
}

/** Where a record waits: among the ready, among the delayed, or, while it runs and when it is finished, nowhere. */
function placeOf({ info, priority }: TaskRecord): Deno.KvKey | undefined {
  if ("dueAt" in info && info.dueAt !== undefined) return delayedKey(info.dueAt, info.id);
  return info.status === "PENDING" ? readyKey(info.job, priority, info.id) : undefined;
}

/** Where a record may wait: a delayed one is among the ready once it is due. */
function placesOf({ info, priority }: TaskRecord): Deno.KvKey[] {
  if (info.status !== "PENDING" && info.status !== "RETRYING") return [];
  return [readyKey(info.job, priority, info.id), ...info.dueAt === undefined ? [] : [delayedKey(info.dueAt, info.id)]];
}

function claims(text: Text | undefined): Deno.KvKey[] {
  return text && "blob" in text ? [...claimBlob(text.blob)] : [];
}

/** How large a record is, at most, in bytes: two for each UTF-16 unit, and some for what is around the texts. */
function sizeOf({ record, input, outcome }: StoredTask, info: string): number {
  const answers = record.answers === undefined ? "" : JSON.stringify(record.answers);
  const texts = [input, outcome].map((text) => text && "inline" in text ? text.inline.length : 0);
  return 2 * texts.reduce((sum, length) => sum + length, info.length + answers.length + 500);
}
