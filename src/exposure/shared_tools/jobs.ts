/**
 * What the shared tools know about the jobs: the names of the tools, who can answer questions, and the tasks of the jobs.
 *
 * @module
 */
import { TaskExpired, TaskNotFound } from "../../errors.ts";
import type { TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import type { RegisteredJob } from "../../registry.ts";
import { type Asking, whenNobodyCanAnswer } from "../answers/asking.ts";
import type { CallClient, ListClient, SharedJob } from "../surface.ts";
import { ofOtherJob } from "../task_of_job.ts";

/** A job, which may be registered under several names. */
export interface NamedJob extends SharedJob {
  /** The longest time that any of its names allows, in ms: a task does not record which one started it. */
  readonly answerWithin: number;
  /** The shortest one, which every client of the job can wait for, in ms. */
  readonly shortest: number;
}

/** The jobs with the same prefix, by name. */
export type SharedJobs = ReadonlyMap<string, NamedJob>;

/** The jobs of these registrations, each once. */
export function sharedJobs(registrations: readonly SharedJob[]): SharedJobs {
  const jobs = new Map<string, NamedJob>();
  for (const one of registrations) {
    const { answerWithin, registered: { job: { name } } } = one;
    const { answerWithin: longest, shortest } = jobs.get(name) ?? { answerWithin, shortest: answerWithin };
    jobs.set(name, {
      ...one,
      answerWithin: Math.max(longest, answerWithin),
      shortest: Math.min(shortest, answerWithin),
    });
  }
  return jobs;
}

/** The names of the tools. */
export function sharedNames(
  prefix: string,
): { readonly status: string; readonly cancel: string; readonly list: string; readonly answer: string } {
  return {
    status: `${prefix}task_status`,
    cancel: `${prefix}task_cancel`,
    list: `${prefix}task_list`,
    answer: `${prefix}task_answer`,
  };
}

/**
 * How the questions of a job can be answered through a client that reads one of its tasks: by its model too, if the
 * registration allows that.
 */
export function askingOf(
  { elicitation, urls }: CallClient,
  registered: Pick<RegisteredJob, "answers" | "policy">,
  prefix = "",
): Asking {
  const tool = registered.answers === "model" ? sharedNames(prefix).answer : undefined;
  return { elicitation, urls, tool, cancels: whenNobodyCanAnswer(registered, "wait") === "cancel" };
}

/** The tool that lists the tasks of a caller, who may use it only if it is known who they are. */
export function listFor({ known = false }: CallClient, prefix: string): string | undefined {
  return known ? sharedNames(prefix).list : undefined;
}

/** Whether a client has no tasks of its own, and needs the shared tools. */
export function lacksTasks({ tasks }: ListClient): boolean {
  return !tasks;
}

/**
 * Reads a task of one of these jobs, and its job. Rejects with `TaskNotFound` for any other task. `list` is the tool that lists
 * the caller's tasks, if the caller may use one.
 */
export async function findShared<J>(
  jobs: ReadonlyMap<string, J>,
  tasks: Tasks,
  id: string,
  owner: string,
  list?: string,
): Promise<{ readonly task: TaskInfo; readonly job: J }> {
  const task = await tasks.get(id, owner).catch((error) => {
    const isUnknown = error instanceof TaskNotFound && !(error instanceof TaskExpired);
    throw isUnknown && list !== undefined ? new TaskNotFound(id, `${error.message} ${list} lists your tasks.`) : error;
  });
  const job = jobs.get(task.job);
  if (job === undefined) throw ofOtherJob(task);
  return { task, job };
}
