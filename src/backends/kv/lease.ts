/**
 * The lease of a worker: one key that says it lives, renewed while it does, and names the tasks that it may hold. When
 * a lease runs out, another worker takes these tasks over. The cost is one write per worker, however many tasks it runs.
 *
 * @module
 */
import { isFinished } from "../../task.ts";
import * as change from "../record.ts";
import { type Committer, untilUnlocked } from "./committer.ts";
import { workerKey } from "./keys.ts";
import type { TaskStore } from "./store.ts";

/** What a worker's key holds. */
export interface WorkerRecord {
  readonly jobs: readonly string[];
  readonly expiresAt: number;
  /** Owner and id of each task that it may hold. */
  readonly held: readonly (readonly [owner: string, id: string])[];
}

/** What a lease needs. */
export interface LeaseOptions {
  readonly kv: Deno.Kv;
  readonly committer: Committer;
  readonly store: TaskStore;
  readonly worker: string;
  readonly jobs: readonly string[];
  /** How long a lease lasts, in ms. */
  readonly duration: number;
  /** The tasks held now. */
  readonly held: () => readonly { readonly id: string; readonly owner: string }[];
  /** Called with each renewal in time: the moment to look for work that, against all odds, no wake file told of. */
  readonly renewed: () => void;
}

/** Keeps the lease of one worker, and takes over what dead ones have left. */
export class Lease implements AsyncDisposable {
  /** Resolves once the worker is known. */
  readonly ready: Promise<void>;
  readonly #options: LeaseOptions;
  readonly #timers: readonly ReturnType<typeof setInterval>[];
  #recovering: Promise<void> | undefined;

  /** Begins to keep it. */
  constructor(options: LeaseOptions) {
    this.#options = options;
    this.ready = this.renew().then(() => this.#recover());
    this.#timers = [
      // A renewal that fails is made up for by the next one: three fit into one lease.
      setInterval(() => void this.renew().then(options.renewed, () => {}), options.duration / 3),
      setInterval(() => void this.#recover().catch(() => {}), options.duration / 2),
    ];
  }

  /** Renews the lease, and writes down which tasks are held now. Ordered before every later write of this process. */
  async renew(): Promise<void> {
    const { committer, worker, jobs, duration, held } = this.#options;
    const value: WorkerRecord = {
      jobs,
      expiresAt: Date.now() + duration,
      held: held().map(({ owner, id }) => [owner, id]),
    };
    const bytes = 200 + value.held.length * 200;
    await committer.commit({ sets: [{ key: workerKey(worker), value }], bytes });
  }

  /** Gives the lease up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timers.forEach(clearInterval);
    await this.#recovering?.catch(() => {});
    const { committer, worker } = this.#options;
    await committer.commit({ deletes: [workerKey(worker)], bytes: 0 }).catch(() => {});
  }

  #recover(): Promise<void> {
    return this.#recovering ??= this.#recoverAll().finally(() => this.#recovering = undefined);
  }

  async #recoverAll(): Promise<void> {
    const { kv, committer } = this.#options;
    const workers = await untilUnlocked(() => Array.fromAsync(kv.list<WorkerRecord>({ prefix: workerKey() })));
    for (const { key, value, versionstamp } of workers) {
      if (value.expiresAt > Date.now()) continue;
      const name = String(key.at(-1));
      await Promise.all(value.held.map(([owner, id]) => this.#takeOver(name, owner, id)));
      await committer.commit({ checks: [{ key, versionstamp }], deletes: [key], bytes: 0 });
    }
  }

  async #takeOver(deadWorker: string, owner: string, id: string): Promise<void> {
    const { store } = this.#options;
    const entry = await store.read(id, owner);
    if (entry === undefined || isFinished(entry.stored.record.info)) return;
    if (entry.stored.record.holder !== deadWorker) return;
    const { record, outcome } = change.crashed(entry.stored.record, Date.now());
    // If another worker was faster, it has done the same.
    await store.change(entry, record, outcome);
  }
}
