/**
 * What an operator sees of Redis, and deletes: tasks of all owners, counts and workers.
 *
 * @module
 */
import type { WorkerInfo } from "../../../backend.ts";
import { BackendError } from "../../../errors.ts";
import { CLOCKS_DIFFER_MS, timeOfTaskId } from "../../../ids.ts";
import type {
  FoundTasks,
  OperatedStore,
  Purged,
  PurgedPage,
  SubmittedTask,
  TaskCounts,
  TaskQuery,
} from "../../../operator/primitives.ts";
import { isFinished, type TaskStatus } from "../../../task.ts";
import { makerOf } from "../internals.ts";
import { submittedFrom } from "../new_task.ts";
import { hasExpired, type Snapshot, toTask } from "../snapshot.ts";
import { type List, LISTS } from "./scripts/lists.ts";
import type { RedisStore } from "./store.ts";

/** In which lists tasks of a status are, and whether they are among the running ones. */
const PLACES: { readonly [status in TaskStatus]: { readonly lists: readonly List[]; readonly running?: 1 } } = {
  PENDING: { lists: ["open", "sleeping"] },
  RUNNING: { lists: [], running: 1 },
  INPUT_REQUIRED: { lists: ["asking"], running: 1 },
  RETRYING: { lists: ["retrying"] },
  COMPLETED: { lists: ["COMPLETED"] },
  FAILED: { lists: ["FAILED"] },
  CANCELLED: { lists: ["CANCELLED"] },
};

/** How many tasks are checked, and perhaps deleted, together. */
const PURGE_BATCH = 100;

/**
 * What the script returns for a job: its name, the sizes of its lists, the running and the asking ones, and the first in
 * line.
 */
type CountReply = readonly [
  job: string,
  sizes: readonly number[],
  running: number,
  asking: number,
  since: number | false,
];

/** What a worker reports about itself, with the ids of its BullMQ workers. */
export type PresentWorker = Omit<WorkerInfo, "running"> & { readonly ids: readonly string[] };

/** What is used of the backend. */
export interface Calls {
  /** Reads a task of any owner. Rejects with `TaskNotFound`, or with `TaskExpired`. */
  find(id: string): Promise<Snapshot>;
  /** Runs calls to Redis; an error becomes a `BackendError`. */
  call<T>(what: string, act: () => Promise<T>): Promise<T>;
}

/** The tasks of all owners. */
export function operatedOn(store: RedisStore, { find, call }: Calls): OperatedStore {
  const { records, scripts, parking, deadline } = store;

  const readAll = async (ids: readonly string[]): Promise<readonly Snapshot[]> => {
    const found = await Promise.all(ids.map((id) => records.read(id)));
    return found.filter((snapshot) => snapshot !== undefined);
  };

  /** Some may not match. */
  const page = async (
    { job = "", status, owner = "", before = "", from = "" }: TaskQuery,
    limit: number,
  ): Promise<FoundTasks> => {
    const { lists, running = 0 } = status === undefined ? { lists: LISTS } : PLACES[status];
    const ids = await scripts.run<readonly string[]>("page", before, from, limit, job, owner, running, ...lists);
    const found = await readAll(ids);
    const tasks = found.filter((snapshot) => !snapshot.expired && !hasExpired(snapshot)).map(toTask);
    return ids.length < limit ? { tasks } : { tasks, next: ids.at(-1) };
  };

  const submitted = async (id: string): Promise<SubmittedTask> => {
    await find(id);
    const task = await call("read what was submitted", async () => {
      const fields = await scripts.run<readonly string[] | null>("submitted", id);
      return fields === null ? undefined : submittedFrom(fields);
    });
    if (task !== undefined) return task;
    throw new BackendError(`Cannot read the input of task ${id}: its job was deleted from the queue.`);
  };

  const counts = async (): Promise<readonly TaskCounts[]> => {
    const counts: readonly CountReply[] = JSON.parse(await scripts.run<string>("counts"));
    return counts.filter(([, sizes]) => sizes.some((size) => size > 0)).map(toCounts);
  };

  const workers = async (): Promise<readonly WorkerInfo[]> => {
    const [stored, held] = await scripts.run<readonly [readonly string[], readonly string[]]>("workers");
    return stored.map((text): WorkerInfo => {
      const { ids, name, host, pid, jobs, since }: PresentWorker = JSON.parse(text);
      const running = held.filter((_, index) => index % 2 === 0 && ids.includes(makerOf(held[index + 1] ?? "")));
      return { name, host, pid, jobs, running, since };
    });
  };

  /** The cursor is a job, a line break, and the last id. */
  const purge = async ({ status, before }: Purged, cursor: string = "\n"): Promise<PurgedPage> => {
    const [at = "", last = ""] = cursor.split("\n");
    const [job, following] = (await counts()).map(({ job }) => job).filter((job) => job >= at).sort();
    if (job === undefined) return { deleted: 0 };
    const ids = await scripts.run<readonly string[]>("after", status, job, job === at ? last : "", PURGE_BATCH);
    // No task is created after it has finished.
    const old = ids.filter((id) => timeOfTaskId(id) < before + CLOCKS_DIFFER_MS);
    const ended = (await readAll(old)).filter((snapshot) => {
      if (snapshot.expired) return true; // What deleted it has failed half-way.
      const task = toTask(snapshot);
      return task.status === status && isFinished(task) && task.finishedAt < before;
    });
    const deleted = await Promise.all(ended.map((snapshot) => records.expire(snapshot, 0)));
    const next = old.length === PURGE_BATCH ? `${job}\n${old.at(-1)}` : following && `${following}\n`;
    return { deleted: deleted.filter(Boolean).length, next };
  };

  return {
    // Pages leave out what has expired by Redis's clock, so that nothing is compared with ours.
    hasExpired: () => false,
    get: async (id) => toTask(await find(id)),
    submitted,
    async steps(id) {
      const { queue } = await find(id);
      return await call("read steps", () => parking.steps(queue, id));
    },
    input: async (id) => (await submitted(id)).input,
    ahead: () =>
      call("list tasks", async () => Number(await deadline.wait(scripts.client.get(scripts.key("ahead"))) ?? 0)),
    page: (query, limit) => call("list tasks", () => page(query, limit)),
    counts: () => call("count tasks", counts),
    workers: () => call("list workers", workers),
    withWorker: (jobs) => call("look for workers", () => deadline.wait(store.withWorker(jobs))),
    purge: (which, cursor) => call("delete tasks", () => purge(which, cursor)),
  };
}

function toCounts([job, sizes, running, asking, since]: CountReply): TaskCounts {
  const size = (name: List) => sizes[LISTS.indexOf(name)] ?? 0;
  const parked = size("asking") + size("sleeping");
  return {
    job,
    counts: {
      PENDING: Math.max(0, size("open") - running) + size("sleeping"),
      RUNNING: running - asking,
      INPUT_REQUIRED: asking + size("asking"),
      RETRYING: size("retrying"),
      COMPLETED: size("COMPLETED"),
      FAILED: size("FAILED"),
      CANCELLED: size("CANCELLED"),
    },
    parked,
    ...(since !== false && { oldestWaiting: since }),
  };
}
