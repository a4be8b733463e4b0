/**
 * The worker: claims tasks, and runs their jobs' code.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { runAttempt } from "./attempt/run.ts";
import type { Backend } from "./backend.ts";
import { DefinitionError } from "./errors.ts";
import { checkJob, type Job } from "./job.ts";
import { type OnError, reporterOf } from "./log/on_error.ts";
import { callback, checkOptions, having, numberFrom, required, type Rule, type Rules, wholeNumber } from "./options.ts";
import { checkSchemas } from "./schema/schema.ts";
import { inProcessSpan } from "./telemetry/task_spans.ts";
import { LONGEST_TIMER_MS } from "./waiting.ts";

/** The options of {@linkcode createWorker}. */
export interface WorkerOptions {
  /** How many tasks run at once; on BullMQ, how many of each job. Default: 4. */
  readonly concurrency?: number;
  /** How long `close` waits for running tasks before it hands them back, in ms; may be `Infinity`. Default: 30,000. */
  readonly grace?: number;
  /**
   * Receives errors that no caller receives, and those with which an attempt fails unexpectedly: not `ToolError` and `JobFault`.
   * Default: a line of JSON on stderr; errors of the store go where the backend's do.
   */
  readonly onError?: OnError;
}

export const WORKER: Rules<WorkerOptions> = {
  concurrency: wholeNumber(1),
  grace: numberFrom(0),
  onError: callback,
};

export const BACKEND: Rule = required(having("create", "a backend, as DenoKvBackend.open gives one"));

const JOBS: Rule = required({ expected: "a list of jobs, as defineJob has returned them", fits: Array.isArray });

/** A running worker. Disposing of it stops it. */
export interface Worker extends AsyncDisposable {
  /** Resolves once it takes tasks. Rejects if its backend fails before that. */
  readonly ready: Promise<void>;
  /**
   * Claims no more tasks, parks those that wait for an answer, waits `grace` ms for the other running ones (default: the
   * worker's own), and hands back the rest. It may be called again with a shorter time.
   */
  close(grace?: number): Promise<void>;
}

/**
 * Starts a worker. Jobs without `run` are contracts, and left to other workers. Throws `DefinitionError` if no job has
 * code, two with code have the same name, or an option is unknown or cannot be used.
 *
 * @example
 * ```ts
 * import { createWorker, defineJob, MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * const echo = defineJob({ name: "echo", input: { type: "object" }, run: (input) => input });
 * await using backend = new MemoryBackend();
 * await using worker = createWorker(backend, [echo], { concurrency: 8 });
 * await worker.ready;
 * ```
 */
export function createWorker(backend: Backend, jobs: readonly Job[], options: WorkerOptions = {}): Worker {
  return startWorker(backend, jobs, options);
}

/** As `createWorker`. The worker gets ready at once, but claims its first task only when `after` resolves. */
export function startWorker(
  backend: Backend,
  jobs: readonly Job[],
  options: WorkerOptions,
  after?: Promise<void>,
): Worker {
  checkOptions("createWorker", { backend, jobs }, { backend: BACKEND, jobs: JOBS });
  for (const job of jobs) checkJob("createWorker", job);
  checkOptions("createWorker", options, WORKER);
  const { concurrency = 4, grace = 30_000 } = options;
  const onError = reporterOf(options.onError);
  const byName = new Map<string, Job>();
  for (const job of jobs) {
    if (!job.run) continue;
    if (byName.has(job.name)) throw new DefinitionError(`Cannot run two jobs named ${job.name} in one worker.`);
    byName.set(job.name, job);
  }
  if (byName.size === 0) {
    throw new DefinitionError(
      "Cannot start a worker: none of its jobs has a `run` function. `implement` gives it to a contract.",
    );
  }
  // A task may be claimed in the async context of whoever created it or woke this worker, such as a step of another task.
  const apart = AsyncLocalStorage.snapshot();
  const stopping = new AbortController();
  const handle = backend.work({
    jobs: [...byName.keys()],
    concurrency,
    limits: Object.fromEntries(byName.values().flatMap(({ name, limits }) => limits ? [[name, limits]] : [])),
    after,
    onError: options.onError,
    run: (claim) => {
      const run = () => runAttempt(byName.get(claim.task.job), claim, stopping.signal, onError);
      return apart(() => inProcessSpan(claim, run));
    },
  });
  // A server refuses to start with such a schema. Here only the tasks of its job fail, and claims do not wait for the check.
  for (const job of byName.values()) {
    checkSchemas(job).catch((error) => onError(error, { where: "check the schemas of a job", job: job.name }));
  }
  let closing: Promise<void> | undefined;
  const close = async (wait = grace) => {
    checkOptions("close", { grace: wait }, WORKER);
    const stopped = handle.stop(Math.min(wait, LONGEST_TIMER_MS));
    stopping.abort();
    return await (closing ??= stopped);
  };
  return { ready: handle.ready, close, [Symbol.asyncDispose]: () => close() };
}
