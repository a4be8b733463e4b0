/**
 * What an operator sees and does on Redis: tasks of all owners, counts, pauses and workers.
 *
 * @module
 */
import type { Queue } from "bullmq";
import type { WorkerInfo } from "../../../backend.ts";
import { CLOCKS_DIFFER_MS, timeOfTaskId } from "../../../ids.ts";
import type {
  FoundTasks,
  Purged,
  PurgedPage,
  SubmittedTask,
  TaskCounts,
  TaskQuery,
} from "../../../operator/primitives.ts";
import { isFinished, type TaskStatus } from "../../../task.ts";
import type { Deadline } from "../../shared/deadline.ts";
import { makerOf } from "../internals.ts";
import { submittedFrom } from "../new_task.ts";
import { hasExpired, type Snapshot, toTask } from "../snapshot.ts";
import type { RedisRecords } from "./records.ts";
import { type List, LISTS } from "./scripts/lists.ts";
import type { RedisScripts } from "./scripts/run.ts";

/** In which lists tasks of a status are, and whether they are among the running ones. */
const PLACES: { readonly [status in TaskStatus]: { readonly lists: readonly List[]; readonly running?: true } } = {
  PENDING: { lists: ["open", "sleeping"] },
  RUNNING: { lists: [], running: true },
  INPUT_REQUIRED: { lists: ["asking"], running: true },
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

/** What an operator sees and does; it reads and deletes tasks of all owners. */
export class RedisOperating {
  readonly #scripts: RedisScripts;
  readonly #records: RedisRecords;
  readonly #queue: (name: string) => Promise<Queue>;
  readonly #deadline: Deadline;

  /** `queue` opens BullMQ's queues, `deadline` says how long an answer may take. */
  constructor(
    scripts: RedisScripts,
    records: RedisRecords,
    queue: (name: string) => Promise<Queue>,
    deadline: Deadline,
  ) {
    this.#scripts = scripts;
    this.#records = records;
    this.#queue = queue;
    this.#deadline = deadline;
  }

  /** The most that the time in a task's id is ahead of its `createdAt`, in ms. */
  async ahead(): Promise<number> {
    const { client } = this.#scripts;
    return Number(await this.#deadline.wait(client.get(this.#scripts.key("ahead"))) ?? 0);
  }

  /** Reads a page of tasks, newest first. Some may not match. */
  async page({ job = "", status, owner = "", before = "", from = "" }: TaskQuery, limit: number): Promise<FoundTasks> {
    const { lists, running = false } = status === undefined ? { lists: LISTS } : PLACES[status];
    const args = [before, from, limit, job, owner, running ? 1 : 0, ...lists];
    const ids = await this.#run<readonly string[]>("page", ...args);
    const found = await this.#readAll(ids);
    const tasks = found.filter((snapshot) => !snapshot.expired && !hasExpired(snapshot)).map(toTask);
    return ids.length < limit ? { tasks } : { tasks, next: ids.at(-1) };
  }

  /** Reads a task as it was submitted. Resolves with `undefined` if there is no such task, or its job was deleted. */
  async submitted(id: string): Promise<SubmittedTask | undefined> {
    const fields = await this.#run<readonly string[] | null>("submitted", id);
    return fields === null ? undefined : submittedFrom(fields);
  }

  /** Counts the tasks of every job that has any. */
  async counts(): Promise<readonly TaskCounts[]> {
    const counts: readonly CountReply[] = JSON.parse(await this.#run<string>("counts"));
    return counts.filter(([, sizes]) => sizes.some((size) => size > 0)).map(toCounts);
  }

  /** Lists our workers that are alive. */
  async workers(): Promise<readonly WorkerInfo[]> {
    const [stored, held] = await this.#run<readonly [readonly string[], readonly string[]]>("workers");
    return stored.map((text): WorkerInfo => {
      const { ids, name, host, pid, jobs, since }: PresentWorker = JSON.parse(text);
      const running = held.filter((_, index) => index % 2 === 0 && ids.includes(makerOf(held[index + 1] ?? "")));
      return { name, host, pid, jobs, running, since };
    });
  }

  /** The paused jobs: BullMQ starts no job of their queues. */
  async paused(): Promise<ReadonlySet<string>> {
    return new Set(await this.#run<readonly string[]>("paused"));
  }

  /** Pauses or resumes the queues of a job. Resolves with their names. */
  async setPaused(job: string, paused: boolean): Promise<readonly string[]> {
    const names = await this.#run<readonly string[]>("pause", job, paused ? 1 : 0);
    for (const name of names) {
      const queue = await this.#queue(name);
      await this.#deadline.wait(paused ? queue.pause() : queue.resume());
    }
    return names;
  }

  /** Stores that a worker is alive for the next `lease` ms. Resolves with the time on Redis, in ms since the epoch. */
  async storeWorker(worker: PresentWorker, lease: number): Promise<number> {
    return await this.#run("present", worker.name, JSON.stringify(worker), lease);
  }

  /** Stores that a worker has ended. */
  async deleteWorker(name: string): Promise<void> {
    const { client } = this.#scripts;
    await this.#deadline.wait(client.hdel(this.#scripts.key("workers"), name));
  }

  /** Deletes a page of finished tasks. The cursor is a job, a line break, and the last id. */
  async purge({ status, before }: Purged, cursor: string = "\n"): Promise<PurgedPage> {
    const [at = "", last = ""] = cursor.split("\n");
    const [job, following] = (await this.counts()).map(({ job }) => job).filter((job) => job >= at).sort();
    if (job === undefined) return { deleted: 0 };
    const ids = await this.#run<readonly string[]>("after", status, job, job === at ? last : "", PURGE_BATCH);
    // No task is created after it has finished.
    const old = ids.filter((id) => timeOfTaskId(id) < before + CLOCKS_DIFFER_MS);
    const ended = (await this.#readAll(old)).filter((snapshot) => {
      if (snapshot.expired) return true; // What deleted it has failed half-way.
      const task = toTask(snapshot);
      return task.status === status && isFinished(task) && task.finishedAt < before;
    });
    const deleted = await Promise.all(ended.map((snapshot) => this.#records.expire(snapshot, 0)));
    const next = old.length === PURGE_BATCH ? `${job}\n${old.at(-1)}` : following && `${following}\n`;
    return { deleted: deleted.filter(Boolean).length, next };
  }

  async #run<T>(...command: Parameters<RedisScripts["run"]>): Promise<T> {
    return await this.#deadline.wait(this.#scripts.run<T>(...command));
  }

  async #readAll(ids: readonly string[]): Promise<readonly Snapshot[]> {
    const found = await Promise.all(ids.map((id) => this.#records.read(id)));
    return found.filter((snapshot) => snapshot !== undefined);
  }
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
