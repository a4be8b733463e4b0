/**
 * The tasks in memory that may run now.
 *
 * @module
 */
import { type TaskRecord, urgencyOf } from "../shared/record.ts";

/** The ids of tasks, per job and urgency, in the order in which they became ready. */
export class ReadyQueues {
  readonly #ready = new Map<string, Map<number, Set<string>>>();

  add(record: TaskRecord): void {
    const { info } = record;
    const urgency = urgencyOf(record);
    const queues = this.#ready.get(info.job) ?? new Map<number, Set<string>>();
    this.#ready.set(info.job, queues);
    queues.set(urgency, (queues.get(urgency) ?? new Set()).add(info.id));
  }

  /** Removes a task, if it is ready. */
  delete(record: TaskRecord): void {
    this.#ready.get(record.info.job)?.get(urgencyOf(record))?.delete(record.info.id);
  }

  /** The first id of each urgency of a job. */
  heads(job: string): readonly string[] {
    return [...this.#ready.get(job)?.values() ?? []].flatMap((queue) => queue.values().take(1).toArray());
  }

  /** Up to `max` ids: of all these jobs together the most urgent first. */
  first(jobs: readonly string[], max: number): readonly string[] {
    return jobs.flatMap((job) => [...this.#ready.get(job) ?? []]).sort(([a], [b]) => a - b)
      .values().flatMap(([, queue]) => queue).take(max).toArray();
  }
}
