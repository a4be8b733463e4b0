/**
 * A worker at the KV file: claims in batches, and writes what becomes of its tasks, each write fenced by the version
 * that it last saw. A worker that has lost a task cannot write to it any more.
 *
 * @module
 */
import type { Attempt, ProgressReport } from "../../backend.ts";
import { isFinished, type Outcome } from "../../task.ts";
import * as change from "../record.ts";
import type { Claimed, RunnerStore } from "../runner.ts";
import type { Committer } from "./committer.ts";
import { delayedKey, readyKey } from "./keys.ts";
import type { Delayed, Entry, TaskStore } from "./store.ts";

/** The most tasks claimed at once. */
const MAX_BATCH = 100;

interface Ready {
  readonly id: string;
  readonly owner: string;
  readonly priority: number;
  readonly check: Deno.AtomicCheck;
}

/** What a worker's claims need. */
export interface ClaimsOptions {
  readonly kv: Deno.Kv;
  readonly committer: Committer;
  readonly store: TaskStore;
  /** The worker's name. */
  readonly worker: string;
  readonly jobs: readonly string[];
  /** Writes down which tasks are held, ordered before every later write: so a dead worker's tasks are found. */
  readonly hold: () => void;
  /** Hears that a task is no longer ours. */
  readonly lose: (id: string) => void;
}

/** The claims of one worker. */
export class Claims implements RunnerStore {
  readonly #options: ClaimsOptions;
  readonly #held = new Map<string, Entry>();
  /** What is about to be held; it counts as held from before the claim is written. */
  #claiming: readonly Ready[] = [];

  /** Claims nothing yet. */
  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** The tasks that this worker holds, or may hold in a moment. */
  get held(): readonly { readonly id: string; readonly owner: string }[] {
    return [...this.#claiming, ...[...this.#held.values()].map(({ stored }) => stored.record.info)];
  }

  async claim(max: number): Promise<{ claims: readonly Claimed[]; dueAt?: number }> {
    const { hold, store } = this.#options;
    const dueAt = await this.#promote(Date.now());
    const ready = await this.#ready(Math.min(max, MAX_BATCH));
    if (ready.length === 0) return { claims: [], dueAt };
    this.#claiming = ready;
    try {
      hold();
      const entries = await store.readMany(ready);
      const claims = await Promise.all(ready.map(({ check }, index) => this.#take(entries[index], check)));
      return { claims: claims.filter((claim) => claim !== undefined), dueAt };
    } finally {
      this.#claiming = [];
    }
  }

  async report(id: string, report: ProgressReport): Promise<void> {
    await this.#change(id, (record) => ({ record: change.reported(record, report, Date.now()) }));
  }

  async settle(id: string, attempt: Attempt): Promise<void> {
    const random = Math.random();
    await this.#change(id, (record) => change.settled(record, attempt, Date.now(), random));
    this.#held.delete(id);
  }

  async handBack(id: string): Promise<void> {
    await this.#change(id, (record) => ({ record: change.handedBack(record, Date.now()) }));
    this.#held.delete(id);
  }

  /** Takes one ready task, unless another worker is faster or it is cancelled. */
  async #take(entry: Entry | undefined, ready: Deno.AtomicCheck): Promise<Claimed | undefined> {
    const { store, worker } = this.#options;
    if (entry === undefined || isFinished(entry.stored.record.info)) return undefined;
    const taken = await store.claim(entry, change.claimed(entry.stored.record, worker, Date.now()), ready);
    if (taken === undefined) return undefined;
    this.#held.set(taken.stored.record.info.id, taken);
    const { info, timeout } = taken.stored.record;
    return { task: info, input: await store.input(taken), timeout };
  }

  /** Changes a held task. If somebody else has changed it meanwhile, looks anew; if it is no longer ours, lets it go. */
  async #change(id: string, next: (record: change.TaskRecord) => { record: change.TaskRecord; outcome?: Outcome }) {
    const { store, worker, lose } = this.#options;
    let entry = this.#held.get(id);
    while (entry) {
      const { record, outcome } = next(entry.stored.record);
      const changed = await store.change(entry, record, outcome);
      if (changed) return void this.#held.set(id, changed);
      entry = await store.read(id, entry.stored.record.info.owner);
      if (entry && entry.stored.record.holder === worker) continue;
      this.#held.delete(id);
      return lose(id);
    }
  }

  /** The tasks that may run now: of all jobs together the most urgent first, then the oldest. */
  async #ready(max: number): Promise<Ready[]> {
    const lists = await Promise.all(this.#options.jobs.map(async (job) => {
      const found: Ready[] = [];
      const list = this.#options.kv.list<string>({ prefix: readyKey(job) }, { limit: max, batchSize: max });
      for await (const { key, value: owner, versionstamp } of list) {
        found.push({ id: String(key[4]), owner, priority: Number(key[3]), check: { key, versionstamp } });
      }
      return found;
    }));
    const [only = []] = lists;
    if (lists.length === 1) return only;
    return lists.flat().sort((a, b) => a.priority - b.priority || (a.id < b.id ? -1 : 1)).slice(0, max);
  }

  /** Moves what is due to the ready. Returns when the next one will be. */
  async #promote(now: number): Promise<number | undefined> {
    const { kv, committer } = this.#options;
    const moves: Promise<unknown>[] = [];
    let dueAt: number | undefined;
    const list = kv.list<Delayed>({ prefix: delayedKey() }, { limit: MAX_BATCH, batchSize: MAX_BATCH });
    for await (const { key, value: { owner, job, priority }, versionstamp } of list) {
      const [time, id] = [Number(key[2]), String(key[3])];
      if (time > now) {
        dueAt = time;
        break;
      }
      moves.push(committer.commit({
        checks: [{ key, versionstamp }],
        deletes: [key],
        sets: [{ key: readyKey(job, priority, id), value: owner }],
        bytes: 500,
      }));
    }
    await Promise.all(moves);
    return dueAt;
  }
}
