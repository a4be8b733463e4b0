/**
 * The tasks of one job: a tool, or a resource, of a job knows no others.
 *
 * @module
 */
import { TaskNotFound } from "../errors.ts";
import type { TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";

/** Reads a task of this job: another job's task is as unknown here as any other id. */
export async function ofJob(tasks: Tasks, job: string, id: string, owner: string): Promise<TaskInfo> {
  const task = await tasks.get(id, owner);
  if (task.job !== job) throw new TaskNotFound(id);
  return task;
}
