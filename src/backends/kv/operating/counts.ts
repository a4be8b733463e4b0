/**
 * How many tasks of each job have each status. Each commit that changes a task changes the counters, too, so they are exact
 * however a process ends.
 *
 * A finished task is counted under the time until which KV keeps it. Once that has passed, the counter is not read any more,
 * and a sweep deletes it.
 *
 * @module
 */
import { isParked, NO_TASKS } from "../../../operator/counts.ts";
import type { TaskCounts } from "../../../operator/primitives.ts";
import { isFinished, type TaskInfo } from "../../../task.ts";
import type { Committer, Count } from "../committer.ts";
import { countKey } from "../keys.ts";
import { list } from "../reading.ts";
import { retainedUntil } from "./retention.ts";

/** The end of counters without an end: those of tasks that are not finished. */
const NO_END = 0;

/** The name under which parked tasks are counted, besides their status. */
const PARKED = "parked";

/** The most counters read or deleted at once. */
const PAGE = 500;

export function counting(info: TaskInfo, before: TaskInfo | undefined): readonly Count[] {
  if (before?.status === info.status && isParked(before) === isParked(info)) return [];
  return [...before ? uncounting(before) : [], ...keysOf(info).map((key) => ({ key, by: 1 }))];
}

/** What takes a task out of the counters. */
export function uncounting(info: TaskInfo): readonly Count[] {
  return keysOf(info).map((key) => ({ key, by: -1 }));
}

/** Counts the tasks of each job that has any. */
export async function countTasks(kv: Deno.Kv, now: number): Promise<readonly TaskCounts[]> {
  const [lasting, ending] = await Promise.all([
    counters(kv, { prefix: countKey(NO_END) }),
    counters(kv, { start: countKey(now), end: countKey(Infinity) }),
  ]);
  const jobs = new Map<string, Map<string, number>>();
  for (const { key, value: { value } } of [...lasting, ...ending]) {
    const [job = "", name = ""] = key.slice(3).map(String);
    const counted = jobs.get(job) ?? new Map<string, number>();
    // Below zero: a clock was fast when the counter was deleted, and then a task in it was, too.
    const count = Math.max(0, Number(BigInt.asIntN(64, value)));
    jobs.set(job, counted.set(name, (counted.get(name) ?? 0) + count));
  }
  const counts = [...jobs].map(([job, counted]): TaskCounts => {
    const { [PARKED]: parked, ...counts } = { ...NO_TASKS, [PARKED]: 0, ...Object.fromEntries(counted) };
    return { job, counts, parked };
  });
  return counts.filter(({ counts }) => Object.values(counts).some((count) => count > 0));
}

/** The jobs that have, or have had, tasks. */
export async function countedJobs(kv: Deno.Kv): Promise<readonly string[]> {
  const lasting = await counters(kv, { prefix: countKey(NO_END) });
  return [...new Set(lasting.map(({ key }) => String(key[3])))];
}

/** Deletes a page of counters whose tasks have expired. Resolves with whether there may be more. */
export async function sweepCounters(kv: Deno.Kv, committer: Committer, now: number): Promise<boolean> {
  const range = { start: countKey(NO_END + 1), end: countKey(now) };
  const ended = await counters(kv, range, PAGE);
  if (ended.length === 0) return false;
  await committer.commit({ deletes: ended.map(({ key }) => key), bytes: 0 });
  return ended.length === PAGE;
}

function counters(kv: Deno.Kv, range: Deno.KvListSelector, limit?: number): Promise<Deno.KvEntry<Deno.KvU64>[]> {
  return list(kv, range, { batchSize: PAGE, limit });
}

function keysOf(info: TaskInfo): Deno.KvKey[] {
  if (isFinished(info)) return [countKey(retainedUntil(info), info.job, info.status)];
  const key = countKey(NO_END, info.job, info.status);
  return isParked(info) ? [key, countKey(NO_END, info.job, PARKED)] : [key];
}
