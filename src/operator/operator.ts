/**
 * What an operator sees and does, the same on every backend: it is made of the contract for owners and of a store's
 * primitives for operators.
 *
 * @module
 */
import type { Backend, JobCounts, Operator, TaskFilter } from "../backend.ts";
import { TaskNotReady } from "../errors.ts";
import { newTaskId } from "../ids.ts";
import { checkOptions } from "../options.ts";
import { listSchedules, pauseSchedule, removeSchedule } from "../schedules/operate.ts";
import { stepInfoOf } from "../steps/recorded_steps.ts";
import { isTerminal, type TaskInfo } from "../task.ts";
import { pause } from "../waiting.ts";
import { checkArguments, refuseLongKey } from "./arguments.ts";
import { NO_TASKS } from "./counts.ts";
import { FILTER, matches, PURGE, queryOf } from "./filter.ts";
import type { JobPauses, OperatedStore, Purged } from "./primitives.ts";

/** How many tasks a page has, unless its reader says otherwise. */
const PAGE = 100;

/** The most reads for one page when few tasks match. */
const MAX_READS = 5;

/** How long a cancelled task has to stop, in ms. */
const STOP_MS = 2_000;

/** The pause between two pages of a purge, in ms, so that others can write. */
const PURGE_PAUSE_MS = 5;

/** The operator of a backend. */
export function operatorOf(
  backend: Pick<Backend, "cancel" | "create" | "documents">,
  store: OperatedStore,
  pauses: JobPauses,
): Operator {
  return {
    tasks: (filter = {}) => listTasks(store, filter),
    get: async (id) => {
      checkArguments("get", { id });
      return await store.get(id);
    },
    input: async (id) => {
      checkArguments("input", { id });
      return await store.input(id);
    },
    steps: async (id) => {
      checkArguments("steps", { id });
      return (await store.steps(id)).map(stepInfoOf);
    },
    counts: () => countAll(store, pauses),
    workers: async () => [...await store.workers()].sort((a, b) => a.since - b.since || (a.name < b.name ? -1 : 1)),
    cancel: async (id, wait = STOP_MS) => {
      checkArguments("cancel", { id, wait });
      return await backend.cancel(id, (await store.get(id)).owner, wait);
    },
    retry: (id, key) => repeat(backend, store, id, key),
    pause: async (job) => {
      checkArguments("pause", { job });
      return await pauses.pause(job);
    },
    resume: async (job) => {
      checkArguments("resume", { job });
      await pauses.resume(job);
    },
    purge: (which) => purgeAll(store, which),
    schedules: () => listSchedules(backend.documents),
    // Schedules go by the clocks of their servers, not by that of the store.
    pauseSchedule: async (name, paused) => {
      checkArguments("pauseSchedule", { name, paused });
      return await pauseSchedule(backend.documents, name, paused, Date.now());
    },
    removeSchedule: async (name) => {
      checkArguments("removeSchedule", { name });
      return await removeSchedule(backend.documents, name);
    },
  };
}

async function listTasks(store: OperatedStore, filter: TaskFilter): ReturnType<Operator["tasks"]> {
  checkOptions("tasks", filter, FILTER);
  const { limit = PAGE } = filter;
  const tasks: TaskInfo[] = [];
  let query = queryOf(filter, filter.until === undefined ? 0 : await store.ahead());
  const { from = "", before } = query;
  if (before !== undefined && before <= from) return { tasks };
  for (let reads = 0; reads < MAX_READS; reads++) {
    const found = await store.page(query, limit - tasks.length + 1);
    for (const task of found.tasks) {
      if (!matches(task, filter) || store.hasExpired(task)) continue;
      if (tasks.length === limit) return { tasks, nextCursor: tasks.at(-1)?.id };
      tasks.push(task);
    }
    if (found.next === undefined) return { tasks };
    query = { ...query, before: found.next };
  }
  return { tasks, nextCursor: query.before };
}

async function countAll(store: OperatedStore, pauses: JobPauses): Promise<readonly JobCounts[]> {
  const [counted, paused] = await Promise.all([store.counts(), pauses.jobs()]);
  const jobs = new Map<string, JobCounts>();
  for (const job of paused) jobs.set(job, { job, counts: NO_TASKS, parked: 0, paused: true });
  const busy = counted.flatMap(({ job, oldestWaiting, counts }) => {
    return oldestWaiting === undefined && counts.RUNNING === 0 ? [] : job;
  });
  const served = busy.length > 0 ? await store.withWorker(busy) : [];
  for (const one of counted) {
    const { job } = one;
    jobs.set(job, { ...one, paused: paused.has(job), ...busy.includes(job) && { hasWorker: served.includes(job) } });
  }
  return [...jobs.values()].sort((a, b) => a.job < b.job ? -1 : 1);
}

async function repeat(
  backend: Pick<Backend, "create">,
  store: OperatedStore,
  id: string,
  key: string | undefined,
): Promise<TaskInfo> {
  checkArguments("retry", { id, key });
  refuseLongKey(key);
  const { status, resultTtl } = await store.get(id);
  if (!isTerminal(status)) throw new TaskNotReady(id, status, "repeat");
  const name = key === undefined ? undefined : `retry:${id}:${key}`;
  return await backend.create({
    ...await store.submitted(id),
    id: newTaskId(),
    retryOf: id,
    ...(name !== undefined && { key: { name, window: resultTtl, heldByAll: true } }),
  });
}

async function purgeAll(store: OperatedStore, which: Purged): Promise<number> {
  checkOptions("purge", which, PURGE);
  let deleted = 0;
  let cursor: string | undefined;
  while (true) {
    const page = await store.purge(which, cursor);
    deleted += page.deleted;
    cursor = page.next;
    if (cursor === undefined) return deleted;
    await pause(PURGE_PAUSE_MS);
  }
}
