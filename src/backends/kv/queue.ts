/**
 * The tasks of a KV file that wait for one worker.
 *
 * @module
 */
import { credibleDue } from "../shared/clock.ts";
import { urgencyOf } from "../shared/record.ts";
import type { Queue, Store } from "../shared/store/store.ts";
import type { Committer } from "./committer.ts";
import { moreOf } from "../shared/job_limits.ts";
import type { KvLimits } from "./job_limits.ts";
import { delayedKey, readyKey } from "./keys.ts";
import { fitting, type Owned } from "./value_limits.ts";
import { type KvEntry, promoting, type StoredTask } from "./stored.ts";

/** The most delayed tasks that are made ready at once. */
const MAX_BATCH = 100;

/** The pause before the next claim when the worker's list has no room for another task, in ms. */
const FULL_PAUSE_MS = 50;

export function queueOf(
  kv: Deno.Kv,
  committer: Committer,
  store: Pick<Store<KvEntry>, "change" | "now">,
  limitsOf: KvLimits,
): Queue<KvEntry> {
  const list = async function* (prefix: Deno.KvKey, limit?: number): AsyncGenerator<KvEntry> {
    const entries = kv.list<StoredTask>({ prefix }, limit === undefined ? {} : { limit, batchSize: limit });
    for await (const { key, value, versionstamp } of entries) yield { ...value, check: { key, versionstamp } };
  };
  /** Corrects the due times of delayed tasks after the clock was set back. */
  const redate = async (now: number) => {
    for await (const entry of list(delayedKey())) {
      const record = credibleDue(entry.record, now);
      if (record !== entry.record) await store.change(entry, record);
    }
  };
  const ready: Queue<KvEntry>["ready"] = async (max, held, jobs) => {
    const search = Promise.all(jobs.map((job) => Array.fromAsync(list(readyKey(job), max))));
    const lists = await committer.withClaims(search);
    const [only = []] = lists;
    const found = lists.length === 1 ? only : lists.flat().sort(byUrgency).slice(0, max);
    const entries = withRoom(found, held);
    const full = found.length > 0 && entries.length === 0;
    if (full) return { entries, more: false, pause: FULL_PAUSE_MS };
    return { entries, more: found.length === max || entries.length < found.length };
  };
  return {
    claimsCost: true,
    async promote(setBack) {
      const now = store.now();
      if (setBack) await redate(now);
      const due: KvEntry[] = [];
      let next: number | undefined;
      for await (const entry of list(delayedKey(), MAX_BATCH)) {
        const dueAt = Number(entry.check.key[2]);
        if (dueAt > now) {
          next = dueAt;
          break;
        }
        due.push(entry);
      }
      await Promise.all(due.map((entry) => committer.commit(promoting(entry))));
      return due.length === MAX_BATCH ? now : next;
    },
    ready,
    async limited(max, held, job, limits) {
      const { free, pause, held: ofAll } = await limitsOf.capacity(job, limits);
      if (free === 0) return { entries: [], more: false, full: true, pause };
      const found = await ready(Math.min(max, free), held, [job]);
      const entries = withRoom(found.entries, ofAll);
      // Where the job's list of held tasks is full, the others wait for the end of one, as if no slot were free.
      if (entries.length < found.entries.length) return { entries, more: false, full: true };
      return { ...found, ...moreOf(found.more, max, free, limits) };
    },
  };
}

/** The first entries that fit into a list of held tasks. */
function withRoom(entries: readonly KvEntry[], held: readonly Owned[]): readonly KvEntry[] {
  return entries.slice(0, fitting(entries.map(({ record }) => record.info), held).length);
}

function byUrgency({ record: a }: KvEntry, { record: b }: KvEntry): number {
  return urgencyOf(a) - urgencyOf(b) || (a.info.id < b.info.id ? -1 : 1);
}
