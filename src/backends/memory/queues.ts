/**
 * The tasks in memory that may run now.
 *
 * @module
 */
import { type TaskRecord, urgencyOf } from "../shared/record.ts";

/** The ids of tasks, per job and urgency, each with its place in the order in which all tasks became ready. */
export class ReadyQueues {
  readonly #ready = new Map<string, Map<number, Map<string, number>>>();
  #places = 0;

  add(record: TaskRecord): void {
    const { info } = record;
    const urgency = urgencyOf(record);
    const queues = this.#ready.get(info.job) ?? new Map<number, Map<string, number>>();
    this.#ready.set(info.job, queues);
    queues.set(urgency, (queues.get(urgency) ?? new Map()).set(info.id, this.#places++));
  }

  delete(record: TaskRecord): void {
    const queues = this.#ready.get(record.info.job);
    const urgency = urgencyOf(record);
    const queue = queues?.get(urgency);
    queue?.delete(record.info.id);
    if (queue?.size === 0) queues?.delete(urgency); // There may be many urgencies, each used once.
  }

  /** The first id of each urgency of a job. */
  heads(job: string): readonly string[] {
    return [...this.#ready.get(job)?.values() ?? []].flatMap((queue) => queue.keys().take(1).toArray());
  }

  /** Up to `max` ids: of all these jobs together the most urgent first, then those that have been ready for longest. */
  first(jobs: readonly string[], max: number): readonly string[] {
    const found = jobs.flatMap((job) => [...this.#ready.get(job) ?? []]).flatMap(([urgency, queue]) =>
      queue.entries().take(max).map(([id, place]) => ({ id, urgency, place })).toArray()
    );
    return found.sort((a, b) => a.urgency - b.urgency || a.place - b.place).slice(0, max).map(({ id }) => id);
  }
}
