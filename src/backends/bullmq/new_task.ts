/**
 * From a new task to BullMQ's job, and back to what was submitted.
 *
 * @module
 */
import type { Job, Queue } from "bullmq";
import type { NewTask, TraceContext } from "../../backend.ts";
import { isObject } from "../../json.ts";
import type { SubmittedTask } from "../../operator/primitives.ts";
import { backoff } from "../shared/record.ts";
import type { BullMq } from "./internals.ts";

/** The largest priority that BullMQ accepts. */
const LEAST_URGENT = 2 ** 21 - 1;

/** The key of our options in the options of a BullMQ job. */
const OWN_OPTIONS = "mcp-jobs";

/** The job of a task, which is not stored yet. */
export function toJob({ Job }: BullMq, queue: Queue, task: NewTask): Job {
  const { id, route, job, owner, input, retry, delay, priority, timeout, trace } = task;
  return new Job(queue, route?.jobName ?? job, input, {
    attempts: retry.attempts,
    // BullMQ has neither a longest pause, an owner, a time-out nor a trace of this form. Our workers read them here.
    backoff: { type: "exponential", delay: retry.delay, jitter: 0.5, ...{ maxDelay: retry.maxDelay } },
    ...{ [OWN_OPTIONS]: { owner, timeout, trace } },
    delay,
    priority: Math.min(priority ?? 0, LEAST_URGENT),
    // Each task has its own `resultTtl`; the queue's and the worker's settings must not delete its result.
    removeOnComplete: false,
    removeOnFail: false,
  }, id);
}

/** Our own options of a BullMQ job. */
export interface OwnOptions {
  /** The owner of its task; absent if another program has queued it. */
  readonly owner?: string;
  /** The time-out of an attempt, in ms. */
  readonly timeout?: number;
  /** The trace in which its task was created. */
  readonly trace?: TraceContext;
}

/** Reads our own options of a BullMQ job. */
export function ownOptionsOf({ opts }: Job): OwnOptions {
  const own: unknown = Reflect.get(opts, OWN_OPTIONS);
  if (!isObject(own)) return {};
  const { owner, timeout, trace } = own;
  return {
    ...(typeof owner === "string" && { owner }),
    ...(typeof timeout === "number" && { timeout }),
    ...(isTrace(trace) && { trace }),
  };
}

function isTrace(trace: unknown): trace is TraceContext {
  return isObject(trace) && typeof trace.traceparent === "string";
}

/**
 * A task as it was submitted, from its job, owner, queue and `resultTtl`, and the name, the input and the options of its
 * job in that queue; `undefined` if that job is gone.
 */
export function submittedFrom(
  [job = "", owner = "", queue = "", ttl = "", name = "", data = "", opts = ""]: readonly string[],
): SubmittedTask | undefined {
  if (opts === "") return undefined;
  const { attempts = 1, backoff, priority, [OWN_OPTIONS]: own }: StoredOptions = JSON.parse(opts);
  return {
    job,
    owner,
    input: JSON.parse(data),
    resultTtl: Number(ttl),
    retry: { attempts, delay: backoff?.delay ?? 0, maxDelay: backoff?.maxDelay ?? 0 },
    ...(own?.timeout !== undefined && { timeout: own.timeout }),
    ...(priority !== undefined && { priority }),
    ...(queue !== job || name !== job ? { route: { queue, jobName: name } } : {}),
  };
}

/** What `toJob` has put into the options of a job. */
interface StoredOptions {
  readonly attempts?: number;
  readonly backoff?: { readonly delay?: number; readonly maxDelay?: number };
  readonly priority?: number;
  readonly [OWN_OPTIONS]?: { readonly timeout?: number };
}

/** Applies the longest pause of our backoff, which BullMQ's exponential backoff does not have. */
export function capBackoff(job: Job): void {
  const { backoff: policy } = job.opts;
  if (typeof policy !== "object" || policy.delay === undefined || !("maxDelay" in policy)) return;
  const retry = { attempts: 0, delay: policy.delay, maxDelay: Number(policy.maxDelay) };
  job.opts.backoff = { type: "fixed", delay: backoff(retry, job.attemptsMade + 1, Math.random()) };
}

/** The backoff of a job that another program has queued, if only the workers of that program know it. */
export function foreignBackoffOf({ opts: { backoff } }: Job): string | undefined {
  const type = typeof backoff === "object" ? backoff.type : "fixed";
  return type === "fixed" || type === "exponential" ? undefined : type;
}
