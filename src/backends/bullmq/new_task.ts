/**
 * From a task that is to be stored to BullMQ's job, and to what is read of it right after.
 *
 * @module
 */
import type { Job, Queue } from "bullmq";
import type { NewTask } from "../../backend.ts";
import { isObject } from "../../json.ts";
import { backoff } from "../shared/record.ts";
import type { Snapshot } from "./snapshot.ts";
import type { BullMq } from "./database.ts";

/** The largest number that BullMQ takes as a priority. */
const LEAST_URGENT = 2 ** 21 - 1;

/** What is ours in the options of a job: those of others are none of our business. */
const OURS = "mcp-jobs";

/** The job, which is not stored yet. */
export function toJob({ Job }: BullMq, queue: Queue, task: NewTask): Job {
  const { id, route, job, input, retry, delay, priority, timeout } = task;
  return new Job(queue, route?.jobName ?? job, input, {
    attempts: retry.attempts,
    // BullMQ knows neither a longest pause nor a time-out. Our workers do, and find them here.
    backoff: { type: "exponential", delay: retry.delay, jitter: 0.5, ...{ maxDelay: retry.maxDelay } },
    ...(timeout === undefined ? {} : { [OURS]: { timeout } }),
    delay,
    priority: Math.min(priority ?? 0, LEAST_URGENT),
    // A result stays as long as its own task says, not as long as the queue or a worker would keep it.
    removeOnComplete: false,
    removeOnFail: false,
  }, id);
}

/** The longest time that one attempt may take, in ms, where the task has one. */
export function timeoutOf({ opts }: Job): number | undefined {
  const ours: unknown = Reflect.get(opts, OURS);
  return isObject(ours) && typeof ours.timeout === "number" ? ours.timeout : undefined;
}

/** BullMQ's exponential backoff has no longest pause; ours has. */
export function capBackoff(job: Job): void {
  const { backoff: policy } = job.opts;
  if (typeof policy !== "object" || policy.delay === undefined || !("maxDelay" in policy)) return;
  const retry = { attempts: 0, delay: policy.delay, maxDelay: Number(policy.maxDelay) };
  job.opts.backoff = { type: "fixed", delay: backoff(retry, job.attemptsMade + 1, Math.random()) };
}

/** How a task stands that has just been stored. */
export function newSnapshot(task: NewTask, queue: string, createdAt: number): Snapshot {
  return {
    ...task,
    queue,
    createdAt,
    readAt: createdAt,
    attempts: task.retry.attempts,
    delayed: Boolean(task.delay),
    handBacks: 0,
    changes: 0,
    changedAt: 0,
    stopRequested: false,
    expired: false,
    state: task.delay ? "delayed" : "waiting",
    dueAt: task.delay ? createdAt + task.delay : undefined,
    started: 0,
    ended: 0,
    stalled: 0,
  };
}
