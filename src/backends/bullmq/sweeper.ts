/**
 * Deletes expired tasks. How long a result is kept counts from its task's end and differs from task to task. BullMQ's
 * own clean-up has one age for a whole queue, so it cannot do this.
 *
 * @module
 */
import type { OnError } from "../../log/on_error.ts";
import { Sweeper } from "../shared/sweeper.ts";
import type { RedisRecords } from "./redis/records.ts";
import { expiryOf, hasExpired, isParked, type Snapshot } from "./snapshot.ts";

/** How often expired tasks are looked up, in ms. */
const SWEEP_MS = 5_000;

/** How many tasks are checked together. */
const BATCH = 100;

/** The longest pause before an unfinished task is checked again, in ms. */
const UNFINISHED_MS = 600_000;

/** The longest pause before a parked task is checked again, in ms. Its last answer ends this pause. */
const PARKED_MS = 86_400_000;

/**
 * The pause before another check of a task that could not be read, or whose job still runs after it has expired, in ms.
 */
const RETRY_MS = 60_000;

/** What a sweep does, for the report of one that fails. */
const FIND_EXPIRED = "look for tasks that have expired";

/** The part of the records that a sweeper uses. */
type ExpiredRecords = Pick<RedisRecords, "due" | "read" | "expire" | "postpone">;

/** Deletes expired tasks at regular intervals. */
export function sweepExpired(records: ExpiredRecords, onError: OnError): Sweeper {
  const page = async () => {
    const ids = await records.due(BATCH);
    // A task that fails does not hold up the others. While Redis is away, postponing fails too, which ends the sweep.
    const retry = (id: string) => async (error: unknown) => {
      await records.postpone(id, RETRY_MS);
      onError(error, { where: FIND_EXPIRED, task: id });
    };
    const checks = await Promise.allSettled(ids.map((id) => check(records, id).catch(retry(id))));
    for (const checked of checks) if (checked.status === "rejected") throw checked.reason;
    return ids.length === BATCH;
  };
  return new Sweeper({ what: FIND_EXPIRED, every: SWEEP_MS, page, pause: 0, onError });
}

async function check(records: ExpiredRecords, id: string): Promise<void> {
  const snapshot = await records.read(id);
  if (snapshot === undefined) return await records.postpone(id, Infinity);
  if (hasExpired(snapshot)) {
    if (!await records.expire(snapshot)) await records.postpone(id, RETRY_MS);
    return;
  }
  const end = expiryOf(snapshot);
  await records.postpone(id, end === undefined ? pauseOf(snapshot) : end - snapshot.readAt);
}

/** The pause before an unfinished task is checked again. */
function pauseOf(snapshot: Snapshot): number {
  const pause = Math.max(SWEEP_MS, Math.min(snapshot.resultTtl, UNFINISHED_MS));
  if (!isParked(snapshot)) return pause;
  return Math.min(PARKED_MS, Math.max(0, (snapshot.dueAt ?? Infinity) - snapshot.readAt) + pause);
}
