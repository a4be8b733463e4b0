/**
 * The lease of a worker: one key that says it lives, renewed while it does, and names the tasks that it may hold. When
 * a lease runs out, another worker takes these tasks over. The cost is one write per worker, however many tasks it runs.
 *
 * @module
 */
import { isFinished } from "../../task.ts";
import { unheard } from "../../log/log_error.ts";
import { credible } from "../shared/clock.ts";
import * as change from "../shared/record.ts";
import { type Committer, untilUnlocked } from "./committer.ts";
import { workerKey } from "./keys.ts";
import type { TaskStore } from "./store.ts";

/** What a worker's key holds. */
export interface WorkerRecord {
  readonly jobs: readonly string[];
  readonly expiresAt: number;
  /** How long a lease of this worker lasts, in ms; absent where an earlier version has written it. */
  readonly lease?: number;
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
  /** The time, in ms since the epoch. */
  readonly now?: () => number;
}

/** Who is late this often in a row was not asleep, but is busy. */
const MAX_LATE = 5;

/** Keeps the lease of one worker, and takes over what dead ones have left. */
export class Lease implements AsyncDisposable {
  /** Resolves once the worker is known. */
  readonly ready: Promise<void>;
  readonly #options: LeaseOptions;
  readonly #timers: readonly ReturnType<typeof setInterval>[];
  readonly #now: () => number;
  #recovering: Promise<void> | undefined;
  /** When it was last time to look for dead workers. */
  #lookedAt: number;
  /** How many times in a row that came late. */
  #late = 0;
  /** By when each of the other workers was dead, as it was last seen: unless it has renewed its lease since. */
  #ends = new Map<string, { readonly versionstamp: string; readonly end: number }>();

  /** Begins to keep it. */
  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#lookedAt = this.#now();
    this.ready = this.renew().then(() => this.recover());
    this.#timers = [
      // A renewal that fails is made up for by the next one: three fit into one lease.
      setInterval(
        () => void this.renew().then(options.renewed, unheard("renew the lease of a worker")),
        options.duration / 3,
      ),
      setInterval(() => void this.recover().catch(unheard("look for dead workers")), options.duration / 2),
    ];
  }

  /** Renews the lease, and writes down which tasks are held now. Ordered before every later write of this process. */
  async renew(): Promise<void> {
    await this.#write(this.#options.duration);
  }

  /** Takes over what dead workers have left. */
  recover(): Promise<void> {
    return this.#recovering ??= this.#recover().finally(() => this.#recovering = undefined);
  }

  /** Gives the lease up. What could not be written of a task that is still held is left for others to take over. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timers.forEach(clearInterval);
    await this.#recovering?.catch(() => {});
    const { committer, worker, held } = this.#options;
    const end = held().length > 0 ? this.#write(0) : committer.commit({ deletes: [workerKey(worker)], bytes: 0 });
    await end.catch(unheard("end the lease of a worker, which runs out by itself"));
  }

  async #write(duration: number): Promise<void> {
    const { committer, worker, jobs, held } = this.#options;
    const value: WorkerRecord = {
      jobs,
      expiresAt: this.#now() + duration,
      lease: this.#options.duration,
      held: held().map(({ owner, id }) => [owner, id]),
    };
    const bytes = 200 + value.held.length * 200;
    await committer.commit({ sets: [{ key: workerKey(worker), value }], bytes });
  }

  async #recover(): Promise<void> {
    const { kv, committer, worker } = this.#options;
    // The machine has slept, or its clock was set: the others need a moment, too, to say that they live.
    if (this.#isLate()) return await this.renew();
    const workers = await untilUnlocked(() => Array.fromAsync(kv.list<WorkerRecord>({ prefix: workerKey() })));
    const before = this.#ends;
    this.#ends = new Map();
    for (const { key, value, versionstamp } of workers) {
      const name = String(key.at(-1));
      if (name === worker) continue;
      const seen = before.get(name);
      const end = Math.min(endOf(value, this.#now()), seen?.versionstamp === versionstamp ? seen.end : Infinity);
      this.#ends.set(name, { versionstamp, end });
      if (end > this.#now()) continue;
      await Promise.all(value.held.map(([owner, id]) => this.#takeOver(name, owner, id)));
      await committer.commit({ checks: [{ key, versionstamp }], deletes: [key], bytes: 0 });
    }
  }

  /** Whether far more time has passed since the last look than the half lease between two. */
  #isLate(): boolean {
    const passed = this.#now() - this.#lookedAt;
    this.#lookedAt += passed;
    this.#late = passed < this.#options.duration ? 0 : this.#late + 1;
    return this.#late > 0 && this.#late <= MAX_LATE;
  }

  /** Takes a task from a dead worker. Who changes it meanwhile does not keep it there: the person who answers it, say. */
  async #takeOver(deadWorker: string, owner: string, id: string): Promise<void> {
    const { store } = this.#options;
    while (true) {
      const entry = await store.read(id, owner);
      if (entry === undefined || isFinished(entry.stored.record.info)) return;
      if (entry.stored.record.holder !== deadWorker) return;
      const { record, outcome } = change.crashed(entry.stored.record, this.#now());
      if (await store.change(entry, record, outcome)) return;
    }
  }
}

/** When a lease ends. Where that lies further ahead than a lease lasts, the clock was set back: it begins to run anew. */
function endOf({ expiresAt, lease = Infinity }: WorkerRecord, now: number): number {
  return credible(expiresAt, lease, now);
}

/** Whether a worker's lease holds, as far as its record tells. After the clock was set back, only once it is renewed. */
export function isAlive(worker: WorkerRecord, now: number): boolean {
  return worker.expiresAt > now && endOf(worker, now) === worker.expiresAt;
}
