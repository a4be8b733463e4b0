/**
 * Pages of tasks of all owners.
 *
 * @module
 */
import type { FoundTasks, TaskQuery } from "../../../operator/primitives.ts";
import { isTerminal, type TaskInfo, type TaskStatus } from "../../../task.ts";
import { taskKey } from "../keys.ts";
import { workersIn } from "../lease.ts";
import { tasksIn } from "../value_limits.ts";
import { readAll, reading } from "../reading.ts";
import type { StoredTask } from "../stored.ts";
import { countedJobs } from "./counts.ts";
import { type Found, listed, merged, notable, ofJob, ofOwner, type Range, ready } from "./ranges.ts";
import { headsOf } from "./waiting.ts";

/** The most tasks that one page reads, unless its limit is higher. */
const MAX_SEEN = 1_500;

/** How many tasks of one range are read at first, at least. */
const SMALLEST_READ = 10;

export async function readPage(kv: Deno.Kv, query: TaskQuery, limit: number): Promise<FoundTasks> {
  const ranges = await rangesOf(kv, query);
  const first = Math.max(SMALLEST_READ, Math.ceil(2 * limit / Math.max(1, ranges.length)));
  const { found, next } = await reading(() => firstOf(merged(ranges, first), query, limit));
  return { tasks: await tasksOf(kv, found), ...(next !== undefined && { next }) };
}

/** Reads the tasks that are not in their range, all at once. */
async function tasksOf(kv: Deno.Kv, found: readonly Found[]): Promise<readonly TaskInfo[]> {
  const keys = found.flatMap(({ id, owner, task }) => task ? [] : [taskKey(owner, id)]);
  const read = await readAll<StoredTask>(kv, keys);
  const tasks = new Map(read.flatMap(({ value }) => value ? [[value.record.info.id, value.record.info]] : []));
  return found.flatMap(({ id, task }) => task ?? tasks.get(id) ?? []);
}

/** The first tasks that may match, by what their ranges know. */
async function firstOf(
  runs: AsyncIterable<readonly Found[]>,
  query: TaskQuery,
  limit: number,
): Promise<{ readonly found: readonly Found[]; readonly next?: string }> {
  const found: Found[] = [];
  let seen = 0;
  let last: string | undefined;
  for await (const run of runs) {
    for (const one of run) {
      if (found.length === limit || seen === Math.max(MAX_SEEN, limit)) return { found, next: last };
      if (mayMatch(one, query)) found.push(one);
      last = one.id;
      seen++;
    }
  }
  return { found };
}

function mayMatch({ owner, end, task }: Found, query: TaskQuery): boolean {
  const fits = (wanted: string | undefined, is: string | undefined) => {
    return wanted === undefined || is === undefined || wanted === is;
  };
  const mayHave = (status: TaskStatus) => end === undefined || (isTerminal(status) ? end === status : end === "none");
  return fits(query.owner, owner) && fits(query.job, task?.job) && fits(query.status, task?.status) &&
    (query.status === undefined || mayHave(query.status));
}

/** The ranges that together have every task that matches, and the fewest others. */
async function rangesOf(kv: Deno.Kv, query: TaskQuery): Promise<readonly Range[]> {
  const { job, status, owner } = query;
  if (status === "RUNNING") return [listed(await heldTasks(kv), query)];
  const isCommon = status === undefined || status === "COMPLETED";
  if (owner !== undefined && (isCommon || status === "PENDING")) return [ofOwner(kv, owner, query)];
  const jobs = job === undefined ? await countedJobs(kv) : [job];
  if (isCommon) return jobs.map((job) => ofJob(kv, job, query));
  const found = jobs.map((job) => notable(kv, job, status, query));
  return status === "PENDING" ? [...found, ...await waiting(kv, jobs, query)] : found;
}

/** The queues of jobs. */
async function waiting(kv: Deno.Kv, jobs: readonly string[], query: TaskQuery): Promise<readonly Range[]> {
  const ranges = await Promise.all(jobs.map(async (job) => {
    const { heads, all } = await headsOf(kv, job, 1);
    return all ? heads.map(({ urgency }) => ready(kv, job, urgency, query)) : [ofJob(kv, job, query)];
  }));
  return ranges.flat();
}

/** The tasks that workers hold, or are about to. */
async function heldTasks(kv: Deno.Kv): Promise<Found[]> {
  const workers = await workersIn(kv);
  return workers.flatMap(({ value }) => tasksIn(value.held));
}
