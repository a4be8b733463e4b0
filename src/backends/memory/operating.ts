/**
 * What the store in memory does for an operator.
 *
 * @module
 */
import { oldestOf } from "../../operator/counts.ts";
import { matches } from "../../operator/filter.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Entry, OperatingStore } from "../shared/store/store.ts";
import type { TaskTable } from "./tasks.ts";

/** The most tasks that one read checks. */
const MAX_READ = 10_000;

/** Reads the tasks of all owners. `headsOf`: the tasks that head the queues of a job. `due`: those that are to be queued now. */
export function operatingOf<E extends Entry>(
  table: TaskTable<E>,
  headsOf: (job: string) => readonly string[],
  due: () => readonly TaskInfo[],
): OperatingStore<E> {
  return {
    find: (id) => Promise.resolve(table.get(id)),
    ahead: () => Promise.resolve(table.ahead),
    page({ before, from = "", ...filter }, limit) {
      const tasks: TaskInfo[] = [];
      let read = 0;
      for (const { record: { info } } of table.newest(before)) {
        if (info.id < from) break;
        if (matches(info, filter)) tasks.push(info);
        if (tasks.length === limit || ++read === MAX_READ) return Promise.resolve({ tasks, next: info.id });
      }
      return Promise.resolve({ tasks });
    },
    counts() {
      const dueOf = Map.groupBy(due(), ({ job }) => job);
      return Promise.resolve(
        table.counted().map((counted) => {
          const heads = headsOf(counted.job).flatMap((id) => table.get(id)?.record.info ?? []);
          const oldestWaiting = oldestOf([...heads, ...dueOf.get(counted.job) ?? []]);
          return { ...counted, ...(oldestWaiting !== undefined && { oldestWaiting }) };
        }),
      );
    },
    workers: () => Promise.resolve([]), // There are no other processes.
    purge({ status, before }) {
      const ended = (task: TaskInfo) => task.status === status && isFinished(task) && task.finishedAt < before;
      const gone = new Set(table.newest().map(({ record }) => record.info).filter(ended).map(({ id }) => id));
      table.deleteAll(gone);
      return Promise.resolve({ deleted: gone.size });
    },
  };
}
