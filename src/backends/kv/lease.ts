/**
 * The lease of a worker: one key that says until when it lives, and lists the tasks that it may hold. A renewal is one
 * write, however many tasks the worker runs. Others find a dead worker's tasks by the list, so each commit that claims
 * tasks writes it, too.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import { credible } from "../shared/clock.ts";
import type { DeadWorker, LeasedWorker, WorkerLease } from "../shared/store/store.ts";
import type { Committer, Latest } from "./committer.ts";
import { workerKey } from "./keys.ts";
import { fitting, type HeldList, tasksIn } from "./value_limits.ts";
import { list } from "./reading.ts";

export interface WorkerRecord extends Omit<LeasedWorker, "name"> {
  readonly expiresAt: number;
  /** How long the lease of this worker lasts, in ms. */
  readonly lease: number;
  /** The tasks that it may hold. */
  readonly held: HeldList;
}

export interface KvLeaseOptions extends LeasedWorker {
  /** How long a lease lasts, in ms. */
  readonly duration: number;
  readonly held: () => readonly TaskInfo[];
  /** The time, in ms since the epoch. */
  readonly now: () => number;
  /** Called once the lease is over. */
  readonly over: () => void;
}

export class KvLease implements WorkerLease, Latest {
  readonly key: Deno.KvKey;
  readonly duration: number;
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;
  readonly #options: KvLeaseOptions;
  /** When the lease of each other worker ends, as last read; outdated once the worker has renewed it. */
  #ends = new Map<string, { readonly versionstamp: string; readonly end: number }>();
  #isOver = false;

  constructor(kv: Deno.Kv, committer: Committer, options: KvLeaseOptions) {
    this.key = workerKey(options.name);
    this.duration = options.duration;
    this.#kv = kv;
    this.#committer = committer;
    this.#options = options;
  }

  get value(): WorkerRecord {
    const { host, pid, jobs, since, held, now } = this.#options;
    return {
      host,
      pid,
      jobs,
      since,
      expiresAt: now() + (this.#isOver ? 0 : this.duration),
      lease: this.duration,
      // New tasks for which there was no room are the last ones; they are stored without a claim.
      held: fitting(held()).map(({ owner, id }) => [owner, id]),
    };
  }

  async renew(): Promise<void> {
    await this.#committer.commit({ latest: [this], bytes: 0 });
  }

  hasRoom(): boolean {
    const held = this.#options.held();
    return fitting(held).length === held.length;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    if (this.#options.held().length > 0) await this.renew();
    else await this.#committer.commit({ deletes: [this.key], bytes: 0 });
    this.#options.over();
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
        tasks: tasksIn(value.held),
        remove: async () => {
          await this.#committer.commit({ checks: [{ key, versionstamp }], deletes: [key], bytes: 0 });
        },
      });
    }
    return dead;
  }
}

/** Reads what all workers have stored about themselves. */
export function workersIn(kv: Deno.Kv): Promise<readonly Deno.KvEntry<WorkerRecord>[]> {
  return list(kv, { prefix: workerKey() });
}

/** When a lease ends. If that is later than a whole lease from now, the clock was set back, and the lease starts anew. */
function endOf({ expiresAt, lease }: WorkerRecord, now: number): number {
  return credible(expiresAt, lease, now);
}

/** Whether a worker's lease holds. After the clock was set back it does so again once it is renewed. */
export function isAlive(worker: WorkerRecord, now: number): boolean {
  return worker.expiresAt > now && endOf(worker, now) === worker.expiresAt;
}
