/**
 * The sentence that tells a model what to do next about a task that has not ended.
 *
 * @module
 */
import { isFinished, type TaskInfo } from "../../task.ts";
import { sharedNames } from "../shared_tools/jobs.ts";
import { type Asking, awaitsModel, isStuck } from "./asking.ts";

/** How far ahead a time is for which a model had better not wait with calls, in ms. */
const FAR_MS = 60_000;

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
