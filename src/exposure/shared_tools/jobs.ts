/**
 * What the shared tools know about the jobs: the names of the tools, the tasks of the jobs, and the next step of a client.
 *
 * @module
 */
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import type { RegisteredJob } from "../../registry.ts";
import { type Asking, awaitsModel, isStuck, whenNobodyCanAnswer } from "../answers/asking.ts";
import type { CallClient, ListClient, SharedJob } from "../surface.ts";
import { ofOtherJob } from "../task_of_job.ts";

/** How far ahead a time is for which a model had better not wait with calls, in ms. */
const FAR_MS = 60_000;

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

/** Whether a client has no tasks of its own, and needs the shared tools. */
export function lacksTasks({ tasks }: ListClient): boolean {
  return !tasks;
}

/** The sentence in a handle that says what to do next. `asking` says how its questions can be answered; by default they cannot. */
export function nextStep(task: TaskInfo, prefix: string, answerWithin: number, asking?: Asking): string {
  return nextWith(task, `call ${sharedNames(prefix).status} with this token${waiting(answerWithin)}`, asking);
}

/** Tells a model how long its next call should wait, in ms; with 0, to call again later. */
export function waiting(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return seconds > 0 ? ` and wait_seconds ${seconds}` : " after a while";
}

/** As `nextStep`, for a task that is read by `read`, such as "call report_status with this token". */
export function nextWith(task: TaskInfo, read: string, asking?: Asking): string {
  // Questions that are cancelled concern nobody.
  if (task.status !== "INPUT_REQUIRED" || asking?.cancels && isStuck(task, asking)) {
    const until = farTime(task);
    const now = until === undefined
      ? `${read.charAt(0).toUpperCase()}${read.slice(1)}`
      : `Tell the person that nothing happens before ${until}. After that, ${read}`;
    return `${now}; it returns the result once the job has ended.`;
  }
  if (asking !== undefined && !isStuck(task, asking)) return `Tell the person what the task asks, then ${read}.`;
  // It may take them days: a model that reads the task over and over pays for each look.
  if (asking === undefined || !awaitsModel(task, asking)) {
    return `Tell the person what the task asks. When they say that it is answered, ${read}.`;
  }
  return `Ask the person in the chat, and call ${asking.tool} with this token, the key of the question and their ` +
    `answer. Then ${read}.`;
}

/**
 * The time for which a task waits, if it is so far ahead that a model should not wait for it with calls. The time of a task that
 * asks does not count: it is only when its question expires.
 */
function farTime(task: TaskInfo): string | undefined {
  if (isFinished(task) || task.status === "INPUT_REQUIRED" || task.dueAt === undefined) return undefined;
  if (task.dueAt - Date.now() < FAR_MS) return undefined;
  return new Date(task.dueAt).toISOString();
}

/** Reads a task of one of these jobs, and its job. Rejects with `TaskNotFound` for any other task. */
export async function findShared<J>(
  jobs: ReadonlyMap<string, J>,
  tasks: Tasks,
  id: string,
  owner: string,
): Promise<{ readonly task: TaskInfo; readonly job: J }> {
  const task = await tasks.get(id, owner);
  const job = jobs.get(task.job);
  if (job === undefined) throw ofOtherJob(task);
  return { task, job };
}
