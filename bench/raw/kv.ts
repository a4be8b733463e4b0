/** What KV itself achieves on this machine, for comparison. */
import { readyKey, taskKey } from "../../src/backends/kv/keys.ts";
import { claimed, created } from "../../src/backends/shared/record.ts";
import { newTick } from "../jobs.ts";

/** Commits per second of one small value each, one after the other: every one is an fsync. */
export async function rawCommits(place: string, commits: number): Promise<number> {
  using kv = await Deno.openKv(`${place}/raw.kv`);
  const start = performance.now();
  for (let i = 0; i < commits; i++) await kv.set(["raw", i], { id: i, status: "PENDING" });
  return commits / ((performance.now() - start) / 1_000);
}

/** Mutations per second in commits of 500. */
export async function rawMutations(place: string, commits: number): Promise<number> {
  using kv = await Deno.openKv(`${place}/raw.kv`);
  const start = performance.now();
  for (let i = 0; i < commits; i++) {
    const atomic = kv.atomic();
    for (let j = 0; j < 500; j++) atomic.set(["group", i, j], { id: j, status: "PENDING" });
    await atomic.commit();
  }
  return commits * 500 / ((performance.now() - start) / 1_000);
}

/**
 * Tasks per second of a queue that is nothing but KV: records as ours, `inFlight` at once, stored and queued in one
 * commit, found by one read, taken in a second commit and ended in a third. Nothing runs, and nothing is notified.
 */
export async function rawTasks(place: string, total: number, inFlight: number): Promise<number> {
  using kv = await Deno.openKv(`${place}/raw_tasks.kv`);
  const start = performance.now();
  for (let done = 0; done < total; done += inFlight) {
    const storing = kv.atomic();
    for (let i = 0; i < inFlight; i++) {
      const record = created(newTick(), Date.now());
      const { id, owner, job } = record.info;
      storing.set(taskKey(owner, id), record).set(readyKey(job, 0, id), record);
    }
    await storing.commit();
    const list = kv.list<ReturnType<typeof created>>({ prefix: readyKey("tick") }, { batchSize: inFlight });
    const ready = await Array.fromAsync(list);
    const taking = kv.atomic();
    const records = ready.map(({ value }) => claimed(value, "raw", Date.now()));
    for (const entry of ready) taking.check(entry).delete(entry.key);
    for (const record of records) taking.set(taskKey(record.info.owner, record.info.id), record);
    const taken = await taking.commit();
    if (!taken.ok) throw new Error("Somebody else has changed the file.");
    const ending = kv.atomic();
    for (const { info, ...record } of records) {
      const key = taskKey(info.owner, info.id);
      ending.check({ key, versionstamp: taken.versionstamp });
      ending.set(key, { ...record, info: { ...info, status: "COMPLETED" } }, { expireIn: info.resultTtl });
    }
    await ending.commit();
  }
  return total / ((performance.now() - start) / 1_000);
}

/** Counts the reads that this process makes of KV while `during` runs. */
export async function countReads(during: () => Promise<unknown>): Promise<number> {
  const { get, getMany, list } = Deno.Kv.prototype;
  let reads = 0;
  const counted = <A extends unknown[], R>(method: (this: Deno.Kv, ...args: A) => R) =>
    function (this: Deno.Kv, ...args: A): R {
      reads++;
      return method.apply(this, args);
    };
  Object.assign(Deno.Kv.prototype, { get: counted(get), getMany: counted(getMany), list: counted(list) });
  try {
    await during();
  } finally {
    Object.assign(Deno.Kv.prototype, { get, getMany, list });
  }
  return reads;
}
