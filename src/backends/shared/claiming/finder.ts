/**
 * Finds tasks for one worker. Each job with limits is searched by itself, so that a job at its limit does not hold up others;
 * all other jobs are searched together.
 *
 * @module
 */
import type { JobLimits } from "../../../backend.ts";
import { DefinitionError } from "../../../errors.ts";
import { isFinished, type TaskInfo } from "../../../task.ts";
import type { Entry, Queue, ReadyTasks } from "../store/store.ts";

export type LimitsOf = ReadonlyMap<string, JobLimits>;

/** Finds what a worker may claim. */
export class Finder {
  readonly #queue: Queue;
  readonly #limits: LimitsOf;
  /** Jobs that had more ready tasks than free slots at the last search, or are being searched. */
  readonly #full = new Set<string>();
  /** Counts the searches: each starts with another job. */
  #searches = 0;

  /** Throws `DefinitionError` if there are limits, and the store has none. */
  constructor(queue: Queue, limits: LimitsOf) {
    if (limits.size > 0 && queue.limited === undefined) {
      throw new DefinitionError(
        "Cannot keep the limits of a job: this backend has none. Leave `concurrency` and `rateLimit` out.",
      );
    }
    this.#queue = queue;
    this.#limits = limits;
  }

  /** Finds up to `max` tasks of these jobs. `held` are those that the worker holds. */
  find(max: number, held: readonly TaskInfo[], jobs: readonly string[]): Promise<ReadyTasks> {
    return this.#limits.size > 0 ? this.#findWithin(max, held, jobs) : this.#queue.ready(max, held, jobs);
  }

  async #findWithin(max: number, held: readonly TaskInfo[], jobs: readonly string[]): Promise<ReadyTasks> {
    const limited = await this.#waiting(jobs.filter((job) => this.#limits.has(job)));
    const others = jobs.filter((job) => !this.#limits.has(job));
    const groups = [...limited.map((job) => [job]), ...others.length > 0 ? [others] : []];
    const first = this.#searches++ % groups.length;
    const entries: Entry[] = [];
    let [more, pause] = [false, Infinity];
    for (const group of [...groups.slice(first), ...groups.slice(0, first)]) {
      const left = max - entries.length;
      if (left === 0) return { entries, more: true, pause };
      try {
        const found = await this.#ofGroup(left, [...held, ...entries.map(({ record }) => record.info)], group);
        entries.push(...found.entries);
        more ||= found.more;
        pause = Math.min(pause, found.pause ?? Infinity);
      } catch (error) {
        if (entries.length === 0) throw error;
        return { entries, more: true, pause }; // What has been claimed must run.
      }
    }
    return { entries, more, pause };
  }

  /** Those of the jobs with limits that have tasks. Each is searched by itself, one after the other, and most have none. */
  async #waiting(jobs: readonly string[]): Promise<readonly string[]> {
    if (jobs.length < 2 || this.#queue.waiting === undefined) return jobs;
    const waiting = await this.#queue.waiting(jobs);
    for (const job of jobs) if (!waiting.includes(job)) this.#full.delete(job);
    return waiting;
  }

  /** A task of a job was found that could not be claimed. */
  failed(job: string): void {
    this.#full.add(job);
  }

  /** Whether a task has freed a slot that other tasks of its job wait for. */
  freesSlot(task: TaskInfo): boolean {
    if (!this.#full.has(task.job)) return false;
    return isFinished(task) || task.parked !== undefined || task.status === "PENDING" || task.status === "RETRYING";
  }

  async #ofGroup(max: number, held: readonly TaskInfo[], group: readonly string[]): Promise<ReadyTasks> {
    const [job = ""] = group;
    const limits = this.#limits.get(job);
    if (limits === undefined || this.#queue.limited === undefined) return await this.#queue.ready(max, held, group);
    this.#full.add(job); // A task that ends during the search may have had its slot when that began.
    const found = await this.#queue.limited(max, held, job, limits);
    if (!found.full) this.#full.delete(job);
    return found;
  }
}
