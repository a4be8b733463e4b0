/**
 * What the store in memory does for an operator.
 *
 * @module
 */
import { oldestOf } from "../../operator/counts.ts";
import { matches } from "../../operator/filter.ts";
import type { FoundTasks, Purged, PurgedPage, TaskCounts, TaskQuery } from "../../operator/primitives.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { OperatingStore } from "../shared/store/operating.ts";
import type { Entry } from "../shared/store/store.ts";
import type { TaskTable } from "./tasks.ts";

/** The most tasks that one read checks. */
const MAX_READ = 10_000;

/** Reads the tasks of all owners. */
export class MemoryOperating<E extends Entry> implements OperatingStore<E> {
  readonly #tasks: TaskTable<E>;
  readonly #headsOf: (job: string) => readonly string[];
  readonly #delete: (ids: ReadonlySet<string>) => void;

  /** `headsOf`: the tasks that head the queues of a job. `purge` deletes tasks with everything stored about them. */
  constructor(
    tasks: TaskTable<E>,
    headsOf: (job: string) => readonly string[],
    purge: (ids: ReadonlySet<string>) => void,
  ) {
    this.#tasks = tasks;
    this.#headsOf = headsOf;
    this.#delete = purge;
  }

  ahead(): Promise<number> {
    return Promise.resolve(this.#tasks.ahead);
  }

  find(id: string): Promise<E | undefined> {
    return Promise.resolve(this.#tasks.get(id));
  }

  page({ before, from = "", ...filter }: TaskQuery, limit: number): Promise<FoundTasks> {
    const tasks: TaskInfo[] = [];
    let read = 0;
    for (const { record: { info } } of this.#tasks.newest(before)) {
      if (info.id < from) break;
      if (matches(info, filter)) tasks.push(info);
      if (tasks.length === limit || ++read === MAX_READ) return Promise.resolve({ tasks, next: info.id });
    }
    return Promise.resolve({ tasks });
  }

  counts(): Promise<readonly TaskCounts[]> {
    return Promise.resolve(
      this.#tasks.counted().map((counted) => {
        const heads = this.#headsOf(counted.job).flatMap((id) => this.#tasks.get(id)?.record.info ?? []);
        const oldestWaiting = oldestOf(heads);
        return oldestWaiting === undefined ? counted : { ...counted, oldestWaiting };
      }),
    );
  }

  /** There are no other processes. */
  workers(): Promise<readonly never[]> {
    return Promise.resolve([]);
  }

  purge({ status, before }: Purged): Promise<PurgedPage> {
    const gone = new Set<string>();
    for (const { record: { info } } of this.#tasks.newest()) {
      if (isFinished(info) && info.status === status && info.finishedAt < before) gone.add(info.id);
    }
    this.#delete(gone);
    return Promise.resolve({ deleted: gone.size });
  }
}
