/**
 * `wait_seconds`: how long a tool that reads a task waits for a change, so that clients need fewer calls.
 *
 * @module
 */
import type { JsonSchema } from "../schema/json_schema.ts";
import type { TaskInfo, TaskStatus } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { type Asking, awaitsModel } from "./answers/asking.ts";
import type { PollingResponse } from "./answers/response.ts";
import type { CallContext } from "./surface.ts";
import { waitWhile } from "./waiting_calls.ts";

/** How long a tool waits for a change. */
export interface WaitLimits {
  /** The longest wait, in ms. */
  readonly most: number;
  /** The wait of a call without `wait_seconds`, in ms. */
  readonly byDefault: number;
  /** What becomes of questions that the client cannot ask. Default: `"wait"`, because other clients may answer them. */
  readonly whenNobodyCanAnswer?: "wait" | "cancel";
}

/** The schema of `wait_seconds`, as a property of a tool's input. It has no maximum, because longer waits are cut. */
export function waitSecondsSchema({ most, byDefault }: WaitLimits, how = "How"): JsonSchema {
  const fallback = byDefault === most ? "which is the default" : `default ${byDefault / 1_000}`;
  const limit = `at most ${most / 1_000}, ${fallback}`;
  const description = `${how} long to wait for the task to change its status, in seconds: ${limit}`;
  return { type: "number", minimum: 0, description };
}

/** Whether a task still has the same status as before, to its model. */
export function sameStatusAs(before: TaskInfo): (task: TaskInfo) => boolean {
  const status = statusForModel(before);
  return (task) => statusForModel(task) === status;
}

/**
 * A model learns nothing from it that a task has lost its worker and waits for the next one: that counts as running. Such a
 * task was stored, claimed and given back, so its revision is 3 at least.
 */
function statusForModel(task: TaskInfo): TaskStatus {
  return task.status === "PENDING" && task.revision > 2 && task.dueAt === undefined ? "RUNNING" : task.status;
}

/** As `sameStatusAs`, but false while the model has to answer first, since nothing will change until then. */
export function sameUntilAsked(before: TaskInfo, asking: Asking): (task: TaskInfo) => boolean {
  const isSame = sameStatusAs(before);
  return (task) => isSame(task) && !awaitsModel(task, asking);
}

/**
 * Waits for `seconds`, within the limits, while a task is not finished and `condition` is true. Resolves with the newest state
 * of the task and, if the wait was cut, a note that says so.
 */
export async function waitForSeconds(
  condition: (task: TaskInfo) => boolean,
  before: TaskInfo,
  seconds: number | undefined,
  { most, byDefault, whenNobodyCanAnswer = "wait" }: WaitLimits,
  tasks: Tasks,
  { signal, onChange }: CallContext,
): Promise<{ readonly task: TaskInfo; readonly cut?: string }> {
  const asked = seconds === undefined ? byDefault : seconds * 1_000;
  const listener = (task: TaskInfo) => onChange?.(task, whenNobodyCanAnswer);
  listener(before);
  const task = await waitWhile(condition, before, Math.min(asked, most), tasks, { signal, onChange: listener });
  return asked > most ? { task, cut: `wait_seconds is at most ${most / 1_000}, not ${seconds}` } : { task };
}

/** A response whose message also says that the wait was cut, if it was. */
export function withNote(response: PollingResponse, cut: string | undefined): PollingResponse {
  if (cut === undefined) return response;
  return { ...response, message: response.message ? `${response.message} (${cut})` : cut };
}
