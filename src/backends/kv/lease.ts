/**
 * The lease of a worker: one key that says until when it lives, and lists the tasks that it may hold. A renewal is one
 * write, however many tasks the worker runs.
 *
 * @module
 */
import type { OnError } from "../../log/on_error.ts";
import type { TaskInfo } from "../../task.ts";
import { credible } from "../shared/clock.ts";
import type { DeadWorker, LeasedWorker, WorkerLease } from "../shared/store/store.ts";
import type { Committer } from "./committer.ts";
import { workerKey } from "./keys.ts";
import { fitting } from "./limits.ts";
import { list } from "./reading.ts";

/** What a worker's key holds. */
export interface WorkerRecord extends Omit<LeasedWorker, "name"> {
  readonly expiresAt: number;
  /** How long the lease of this worker lasts, in ms; absent in records of an earlier version. */
  readonly lease?: number;
  /** The owner and id of each task that it may hold. */
  readonly held: readonly (readonly [owner: string, id: string])[];
}

/** What a lease needs. */
export interface KvLeaseOptions extends LeasedWorker {
  /** How long a lease lasts, in ms. */
  readonly duration: number;
  /** The tasks held now. */
  readonly held: () => readonly TaskInfo[];
  /** The time, in ms since the epoch. */
  readonly now: () => number;
  readonly onError: OnError;
}

/** The lease of one worker. */
export class KvLease implements WorkerLease {
  readonly duration: number;
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;
  readonly #options: KvLeaseOptions;
  /** When the lease of each other worker ends, as last read; outdated once the worker has renewed it. */
  #ends = new Map<string, { readonly versionstamp: string; readonly end: number }>();

  constructor(kv: Deno.Kv, committer: Committer, options: KvLeaseOptions) {
    this.duration = options.duration;
    this.#kv = kv;
    this.#committer = committer;
    this.#options = options;
  }

  /** Renews the lease, with the tasks held now. Goes to disk before every later write of this process. */
  async renew(): Promise<void> {
    await this.#write(this.duration);
  }

  /** Others find a dead worker's tasks by the list in its key, so tasks are listed before they are claimed. */
  hold(): boolean {
    const held = this.#options.held();
    if (fitting(held, [], ({ owner }) => owner).length < held.length) return false;
    void this.renew().catch((error) =>
      this.#options.onError(error, { where: "write down which tasks a worker holds" })
    );
    return true;
  }

  async end(): Promise<void> {
    const { name, held } = this.#options;
    if (held().length > 0) await this.#write(0);
    else await this.#committer.commit({ deletes: [workerKey(name)], bytes: 0 });
  }

  async dead(): Promise<readonly DeadWorker[]> {
    const workers = await workersIn(this.#kv);
    const now = this.#options.now();
    const before = this.#ends;
    this.#ends = new Map();
    const dead: DeadWorker[] = [];
    for (const { key, value, versionstamp } of workers) {
      const name = String(key.at(-1));
      if (name === this.#options.name) continue;
      const seen = before.get(name);
      const end = Math.min(endOf(value, now), seen?.versionstamp === versionstamp ? seen.end : Infinity);
      this.#ends.set(name, { versionstamp, end });
      if (end > now) continue;
      dead.push({
        name,
        tasks: value.held.map(([owner, id]) => ({ id, owner })),
        remove: async () => {
          await this.#committer.commit({ checks: [{ key, versionstamp }], deletes: [key], bytes: 0 });
        },
      });
    }
    return dead;
  }

  async #write(duration: number): Promise<void> {
    const { name, host, pid, jobs, since, held, now } = this.#options;
    const value: WorkerRecord = {
      host,
      pid,
      jobs,
      since,
      expiresAt: now() + duration,
      lease: this.duration,
      held: held().map(({ owner, id }) => [owner, id]),
    };
    const bytes = 200 + value.held.length * 200;
    await this.#committer.commit({ sets: [{ key: workerKey(name), value }], bytes });
  }
}

/** Reads what all workers have stored about themselves. */
export function workersIn(kv: Deno.Kv): Promise<readonly Deno.KvEntry<WorkerRecord>[]> {
  return list(kv, { prefix: workerKey() });
}

/** When a lease ends. If that is later than a whole lease from now, the clock was set back, and the lease starts anew. */
function endOf({ expiresAt, lease = Infinity }: WorkerRecord, now: number): number {
  return credible(expiresAt, lease, now);
}

/** Whether a worker's lease holds. After the clock was set back it does so again once it is renewed. */
export function isAlive(worker: WorkerRecord, now: number): boolean {
  return worker.expiresAt > now && endOf(worker, now) === worker.expiresAt;
}
