import type { Operator, TaskFilter } from "../../../backend.ts";
import { newTaskId } from "../../../src/ids.ts";
import { NO_TASKS } from "../../../src/operator/counts.ts";
import type { JobCounts, TaskInfo } from "../../../backend.ts";

/** A task as it was stored first, but for what is given. */
export function taskOf(given: Partial<TaskInfo> = {}): TaskInfo {
  const id = newTaskId();
  return {
    id,
    job: "report",
    owner: "me",
    status: "PENDING",
    revision: 1,
    attempt: 0,
    createdAt: 1_000,
    updatedAt: 1_000,
    resultTtl: 60_000,
    ...given,
  } as TaskInfo;
}

/** The counts of a job, but for what is given none. */
export function countsOf(counts: Partial<JobCounts["counts"]>, job = "report"): JobCounts {
  return { job, counts: { ...NO_TASKS, ...counts }, parked: 0, paused: false };
}

/** An operator of whom only `tasks` and `counts` are asked. */
export function listing(tasks: (filter: TaskFilter) => ReturnType<Operator["tasks"]>): Operator {
  const operator: Partial<Operator> = {
    tasks: (filter = {}) => tasks(filter),
    counts: () => Promise.resolve([countsOf({ PENDING: 1 })]),
  };
  return operator as Operator;
}
