/**
 * What every revision says of a task: pure functions of a task record.
 *
 * @module
 */
import { isFinished, type TaskInfo, type TaskStatus } from "../task.ts";
import { percentOf } from "../text.ts";

/** What is said of a task under the same names in every revision. */
export type CommonTask = {
  readonly taskId: string;
  readonly status: WireStatus;
  readonly statusMessage?: string;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
};

type WireStatus = "working" | "input_required" | "completed" | "failed" | "cancelled";

const STATUS: { readonly [status in TaskStatus]: WireStatus } = {
  PENDING: "working",
  RUNNING: "working",
  RETRYING: "working",
  INPUT_REQUIRED: "input_required",
  COMPLETED: "completed",
  FAILED: "failed",
  CANCELLED: "cancelled",
};

export function commonTask(task: TaskInfo, status: WireStatus = STATUS[task.status]): CommonTask {
  const statusMessage = statusText(task);
  return {
    taskId: task.id,
    status,
    ...(statusMessage && { statusMessage }),
    createdAt: new Date(task.createdAt).toISOString(),
    lastUpdatedAt: new Date(task.updatedAt).toISOString(),
  };
}

/** Progress and message in one line, for people; for a finished task only the message. */
export function statusText(task: TaskInfo): string {
  const { progress, message = "" } = task;
  const done = progress === undefined || isFinished(task) ? "" : `${percentOf(progress)} %`;
  return [done, message].filter(Boolean).join(", ");
}

/**
 * The time to live in ms. On the wire it counts from creation, but a result is kept from completion: so the value grows
 * while a task is running, and is exact once the task has finished.
 */
export function timeToLive(task: TaskInfo, now: number): number {
  return age(task, now) + task.resultTtl;
}

/**
 * How long a client should wait before it reads the task again, in ms: a tenth of the task's age, between 0.5 s and 2 s. An
 * old task is likely to run for a while yet, but a longer interval would delay its result by as much.
 */
export function pollInterval(task: TaskInfo, now: number): number {
  return Math.min(2_000, Math.max(500, Math.round(age(task, now) / 10)));
}

/** The time since a task was created, until now or until it finished, in ms. */
function age(task: TaskInfo, now: number): number {
  return Math.max(0, (isFinished(task) ? task.finishedAt : now) - task.createdAt);
}
