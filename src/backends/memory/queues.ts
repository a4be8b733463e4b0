/**
 * The tasks in memory that may run now.
 *
 * @module
 */
import type { TaskRecord } from "../shared/record.ts";

/** The ids of tasks, per job and priority, in the order in which they became ready. */
export class ReadyQueues {
  readonly #ready = new Map<string, Map<number, Set<string>>>();

  /** A task may run now. */
  add({ info, priority }: TaskRecord): void {
    const queues = this.#ready.get(info.job) ?? new Map<number, Set<string>>();
    this.#ready.set(info.job, queues);
    queues.set(priority, (queues.get(priority) ?? new Set()).add(info.id));
  }

  /** A task is to wait no more, or was not ready. */
  delete({ info, priority }: TaskRecord): void {
    this.#ready.get(info.job)?.get(priority)?.delete(info.id);
  }

  /** Up to `max` ids: of all these jobs together the most urgent first. */
  first(jobs: readonly string[], max: number): readonly string[] {
    return jobs.flatMap((job) => [...this.#ready.get(job) ?? []]).sort(([a], [b]) => a - b)
      .values().flatMap(([, queue]) => queue).take(max).toArray();
  }
}
