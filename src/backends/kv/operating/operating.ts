/**
 * What the KV file tells an operator.
 *
 * @module
 */
import { HEADS, oldestOf } from "../../../operator/counts.ts";
import type { OperatingStore, Store } from "../../shared/store/store.ts";
import type { Committer } from "../committer.ts";
import { aheadKey, indexKey } from "../keys.ts";
import { isAlive, workersIn } from "../lease.ts";
import type { KvEntry } from "../stored.ts";
import { countedJobs, countTasks } from "./counts.ts";
import type { Indexed } from "./indexes.ts";
import { readPage } from "./page.ts";
import { purgePage } from "./purge.ts";
import { dueTasks, headsOf } from "./waiting.ts";

/** What this needs of the store. */
export interface Tasks extends Pick<Store<KvEntry>, "now" | "read"> {
  /** Reads a key; calls of one moment are made together. */
  readonly get: (key: Deno.KvKey) => Promise<Deno.KvEntryMaybe<unknown>>;
}

/** Reads the tasks of all owners, and deletes finished ones. */
export function operatingOf(kv: Deno.Kv, committer: Committer, { now, read, get }: Tasks): OperatingStore<KvEntry> {
  return {
    /** The index needs the job, so the task is looked up in all jobs at once. */
    async find(id) {
      const jobs = await countedJobs(kv);
      const found = await Promise.all(jobs.map((job) => get(indexKey(job, id))));
      const [indexed] = found.flatMap(({ value }) => value === null ? [] : value as Indexed);
      return indexed && await read(id, indexed.owner);
    },
    /** All processes on the file have the same clock, but it may be set back between an id and its task. */
    async ahead() {
      const { value } = await get(aheadKey()) as Deno.KvEntryMaybe<Deno.KvU64>;
      return Number(value?.value ?? 0);
    },
    page: (query, limit) => readPage(kv, query, limit),
    async counts() {
      const [counted, due] = await Promise.all([countTasks(kv, now()), dueTasks(kv, now())]);
      return await Promise.all(counted.map(async (of) => {
        const { heads } = await headsOf(kv, of.job, HEADS);
        const oldestWaiting = oldestOf([
          ...heads.flatMap(({ tasks }) => tasks),
          ...due.filter(({ job }) => job === of.job),
        ]);
        return { ...of, ...(oldestWaiting !== undefined && { oldestWaiting }) };
      }));
    },
    async workers() {
      const alive = (await workersIn(kv)).filter(({ value }) => isAlive(value, now()));
      return await Promise.all(alive.map(async ({ key, value: { jobs, held, host, pid, since } }) => {
        const name = String(key.at(-1));
        // The list also has tasks that the worker held at its last renewal, or was about to claim.
        const entries = await Promise.all(held.map(([owner, id]) => read(id, owner)));
        const running = entries.flatMap((entry) => entry?.record.holder === name ? entry.record.info.id : []);
        return { name, host, pid, jobs, running, since };
      }));
    },
    purge: (which, cursor) => purgePage({ kv, committer, now: now(), read }, which, cursor),
  };
}
