import type { NewTask } from "../../backend.ts";
import { newTaskId } from "../../src/ids.ts";
import type { LiveTask } from "../../src/task.ts";

/** A task that runs, of the job `job` and the owner `ann`. */
export const RUNNING_TASK: LiveTask = {
  id: "01a20500-0000-7000-8000-000000000000",
  job: "job",
  owner: "ann",
  status: "RUNNING",
  revision: 2,
  attempt: 1,
  createdAt: 1,
  updatedAt: 2,
  resultTtl: 60_000,
};

/** A new task that has one attempt, of the job `job` and the owner `ann`, unless `own` says otherwise. */
export function newTask(own: Partial<NewTask> = {}): NewTask {
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  return { id: newTaskId(), job: "job", owner: "ann", input: {}, resultTtl: 60_000, retry, ...own };
}
