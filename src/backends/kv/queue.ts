/**
 * The tasks of a KV file that wait for one worker.
 *
 * @module
 */
import type { JobLimits } from "../../backend.ts";
import type { TaskInfo } from "../../task.ts";
import { credibleDue } from "../shared/clock.ts";
import type { LimitedTasks, Queue, ReadyTasks, Store } from "../shared/store/store.ts";
import type { Committer } from "./committer.ts";
import { moreOf } from "../shared/job_limits.ts";
import type { KvLimits } from "./job_limits.ts";
import { delayedKey, readyKey } from "./keys.ts";
import { fitting } from "./limits.ts";
import { type KvEntry, promoting, type StoredTask } from "./stored.ts";

/** The most delayed tasks that are made ready at once. */
const MAX_BATCH = 100;

/** The pause before the next claim when the worker's list has no room for another task, in ms. */
const FULL_PAUSE_MS = 50;

/** Finds and promotes tasks. */
export class KvQueue implements Queue<KvEntry> {
  readonly claimsCost = true;
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;
  readonly #store: Pick<Store<KvEntry>, "change" | "now">;
  readonly #limits: KvLimits;

  constructor(
    kv: Deno.Kv,
    committer: Committer,
    store: Pick<Store<KvEntry>, "change" | "now">,
    limits: KvLimits,
  ) {
    this.#limits = limits;
    this.#kv = kv;
    this.#committer = committer;
    this.#store = store;
  }

  async promote(setBack: boolean): Promise<number | undefined> {
    const now = this.#store.now();
    if (setBack) await this.#redate(now);
    const due: KvEntry[] = [];
    let next: number | undefined;
    for await (const entry of this.#list(delayedKey(), MAX_BATCH)) {
      const dueAt = Number(entry.check.key[2]);
      if (dueAt > now) {
        next = dueAt;
        break;
      }
      due.push(entry);
    }
    await Promise.all(due.map((entry) => this.#committer.commit(promoting(entry))));
    return due.length === MAX_BATCH ? now : next;
  }

  async ready(max: number, held: readonly TaskInfo[], jobs: readonly string[]): Promise<ReadyTasks<KvEntry>> {
    const search = Promise.all(jobs.map((job) => Array.fromAsync(this.#list(readyKey(job), max))));
    const lists = await this.#committer.withClaims(search);
    const [only = []] = lists;
    const found = lists.length === 1 ? only : lists.flat().sort(byUrgency).slice(0, max);
    const entries = fitting(found, held, ({ record }) => record.info.owner);
    const full = found.length > 0 && entries.length === 0;
    if (full) return { entries, more: false, pause: FULL_PAUSE_MS };
    return { entries, more: found.length === max || entries.length < found.length };
  }

  async limited(
    max: number,
    held: readonly TaskInfo[],
    job: string,
    limits: JobLimits,
  ): Promise<LimitedTasks<KvEntry>> {
    const { free, pause } = await this.#limits.capacity(job, limits);
    if (free === 0) return { entries: [], more: false, full: true, pause };
    const found = await this.ready(Math.min(max, free), held, [job]);
    return { ...found, ...moreOf(found.more, max, free, limits) };
  }

  /** Corrects the due times of delayed tasks after the clock was set back. */
  async #redate(now: number): Promise<void> {
    for await (const entry of this.#list(delayedKey())) {
      const record = credibleDue(entry.record, now);
      if (record !== entry.record) await this.#store.change(entry, record);
    }
  }

  async *#list(prefix: Deno.KvKey, limit?: number): AsyncGenerator<KvEntry> {
    const list = this.#kv.list<StoredTask>({ prefix }, limit === undefined ? {} : { limit, batchSize: limit });
    for await (const { key, value, versionstamp } of list) yield { ...value, check: { key, versionstamp } };
  }
}

function byUrgency({ record: a }: KvEntry, { record: b }: KvEntry): number {
  return a.priority - b.priority || (a.info.id < b.info.id ? -1 : 1);
}
