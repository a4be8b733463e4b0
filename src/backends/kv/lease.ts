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

export interface KvLeaseOptions {
  /** How long a lease lasts, in ms. */
  readonly duration: number;
  readonly held: () => readonly TaskInfo[];
  /** The time, in ms since the epoch. */
  readonly now: () => number;
  /** Called once the lease is over. */
  readonly over: () => void;
}

/** The lease of one worker. Commits that claim tasks write it as their `latest`. */
export function leaseOf(
  kv: Deno.Kv,
  committer: Committer,
  { name, ...worker }: LeasedWorker,
  { duration, held, now, over }: KvLeaseOptions,
): WorkerLease & Latest {
  const own = workerKey(name);
  /** When the lease of each other worker ends, as last read; outdated once the worker has renewed it. */
  let ends = new Map<string, { readonly versionstamp: string; readonly end: number }>();
  let isOver = false;
  const lease: WorkerLease & Latest = {
    key: own,
    duration,
    get value(): WorkerRecord {
      return {
        ...worker,
        expiresAt: now() + (isOver ? 0 : duration),
        lease: duration,
        // New tasks for which there was no room are the last ones; they are stored without a claim.
        held: fitting(held()).map(({ owner, id }) => [owner, id]),
      };
    },
    async renew() {
      await committer.commit({ latest: [lease], bytes: 0 });
    },
    hasRoom() {
      const all = held();
      return fitting(all).length === all.length;
    },
    async end() {
      isOver = true;
      if (held().length > 0) await lease.renew();
      else await committer.commit({ deletes: [own], bytes: 0 });
      over();
    },
    async dead() {
      const workers = await workersIn(kv);
      const time = now();
      const before = ends;
      ends = new Map();
      const dead: DeadWorker[] = [];
      for (const { key, value, versionstamp } of workers) {
        const other = String(key.at(-1));
        if (other === name) continue;
        const seen = before.get(other);
        const end = Math.min(endOf(value, time), seen?.versionstamp === versionstamp ? seen.end : Infinity);
        ends.set(other, { versionstamp, end });
        if (end > time) continue;
        dead.push({
          name: other,
          tasks: tasksIn(value.held),
          remove: async () => {
            await committer.commit({ checks: [{ key, versionstamp }], deletes: [key], bytes: 0 });
          },
        });
      }
      return dead;
    },
  };
  return lease;
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
