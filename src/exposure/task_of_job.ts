/**
 * The tasks of one job, for its tools and resources.
 *
 * @module
 */
import { TaskNotFound } from "../errors.ts";
import type { TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { quote } from "../text.ts";

/** Reads a task of this job. Rejects with `TaskNotFound` for any other task; for one of the owner's it names the job. */
export async function taskOfJob(tasks: Tasks, job: string, id: string, owner: string): Promise<TaskInfo> {
  const task = await tasks.get(id, owner);
  if (task.job !== job) throw ofOtherJob(task, `, not of ${job}`);
  return task;
}

/** The error for a task that its owner looks for in the wrong place. Told that it is unknown, a model would start another. */
export function ofOtherJob({ id, job }: TaskInfo, but = ""): TaskNotFound {
  return new TaskNotFound(
    id,
    `Task ${quote(id)} is a task of ${job}${but}. Use the tools of ${job} for it; ` +
      `if there are none, this server does not offer ${job}.`,
  );
}
