/**
 * The tasks of one job, for its tools and resources.
 *
 * @module
 */
import { TaskNotFound } from "../errors.ts";
import type { TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";

/** Reads a task of this job. Rejects with `TaskNotFound` for any other task, as for an unknown id. */
export async function taskOfJob(tasks: Tasks, job: string, id: string, owner: string): Promise<TaskInfo> {
  const task = await tasks.get(id, owner);
  if (task.job !== job) throw new TaskNotFound(id);
  return task;
}
