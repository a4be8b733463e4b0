/**
 * What the KV file tells an operator.
 *
 * @module
 */
import type { WorkerInfo } from "../../../backend.ts";
import { oldestOf } from "../../../operator/counts.ts";
import type { FoundTasks, Purged, PurgedPage, TaskCounts, TaskQuery } from "../../../operator/primitives.ts";
import type { OperatingStore } from "../../shared/store/operating.ts";
import type { Store } from "../../shared/store/store.ts";
import { type Committer, reading } from "../committer.ts";
import { aheadKey, indexKey, workerKey } from "../keys.ts";
import { isAlive, type WorkerRecord } from "../lease.ts";
import type { KvEntry } from "../stored.ts";
import { countedJobs, countTasks } from "./counters.ts";
import type { Indexed } from "./indexes.ts";
import { readPage } from "./pages.ts";
import { purgePage } from "./purge.ts";
import { headsOf } from "./waiting.ts";

/** What this needs of the store. */
export interface Tasks extends Pick<Store<KvEntry>, "now" | "read"> {
  /** Reads a key; calls of one moment are made together. */
  readonly get: (key: Deno.KvKey) => Promise<Deno.KvEntryMaybe<unknown>>;
}

/** Reads the tasks of all owners, and deletes finished ones. */
export class KvOperating implements OperatingStore<KvEntry> {
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;
  readonly #tasks: Tasks;

  constructor(kv: Deno.Kv, committer: Committer, tasks: Tasks) {
    this.#kv = kv;
    this.#committer = committer;
    this.#tasks = tasks;
  }

  /** The index needs the job, so the task is looked up in all jobs at once. */
  async find(id: string): Promise<KvEntry | undefined> {
    const jobs = await countedJobs(this.#kv);
    const found = await Promise.all(jobs.map((job) => this.#tasks.get(indexKey(job, id))));
    const [indexed] = found.flatMap(({ value }) => value === null ? [] : value as Indexed);
    return indexed && await this.#tasks.read(id, indexed.owner);
  }

  /** All processes on the file have the same clock, but it may be set back between an id and its task. */
  async ahead(): Promise<number> {
    const { value } = await this.#tasks.get(aheadKey()) as Deno.KvEntryMaybe<Deno.KvU64>;
    return Number(value?.value ?? 0);
  }

  page(query: TaskQuery, limit: number): Promise<FoundTasks> {
    return readPage(this.#kv, query, limit);
  }

  async counts(): Promise<readonly TaskCounts[]> {
    const counted = await countTasks(this.#kv, this.#tasks.now());
    return await Promise.all(counted.map(async (of) => {
      const { heads } = await headsOf(this.#kv, of.job);
      const oldestWaiting = oldestOf(heads.map(({ task }) => task));
      return { ...of, ...(oldestWaiting !== undefined && { oldestWaiting }) };
    }));
  }

  async workers(): Promise<readonly WorkerInfo[]> {
    const list = () => Array.fromAsync(this.#kv.list<WorkerRecord>({ prefix: workerKey() }));
    const alive = (await reading(list)).filter(({ value }) => isAlive(value, this.#tasks.now()));
    return await Promise.all(alive.map(async ({ key, value: { jobs, held, host, pid, since } }) => {
      const name = String(key.at(-1));
      // The list also has tasks that the worker held at its last renewal, or was about to claim.
      const entries = await Promise.all(held.map(([owner, id]) => this.#tasks.read(id, owner)));
      const running = entries.flatMap((entry) => entry?.record.holder === name ? entry.record.info.id : []);
      return { name, host, pid, jobs, running, since };
    }));
  }

  purge(which: Purged, cursor: string | undefined): Promise<PurgedPage> {
    const { now, read } = this.#tasks;
    return purgePage({ kv: this.#kv, committer: this.#committer, now: now(), read }, which, cursor);
  }
}
