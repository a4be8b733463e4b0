/**
 * The worker: validates the input, runs the job's code with its time limit, and reports how it ended.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Attempt, Backend, Claim, LogLevel } from "./backend.ts";
import { isContent } from "./content/content.ts";
import { DefinitionError, InvalidInput, InvalidValue, JobFault, JobsError, TimedOut, ToolError } from "./errors.ts";
import { checkJob, type Job } from "./job.ts";
import { toJson } from "./json.ts";
import { type OnError, reporterOf, RUN_A_JOB } from "./log/on_error.ts";
import { callback, checkOptions, having, numberFrom, required, type Rule, type Rules, wholeNumber } from "./options.ts";
import { elicitOf } from "./questions/elicit.ts";
import { checkSchema, checkSchemas, validate, validateOutput } from "./schema/schema.ts";
import type { JobContext } from "./steps/context.ts";
import { Parking } from "./steps/parking.ts";
import { progressOf } from "./steps/progress.ts";
import { StepMismatch, Steps } from "./steps/steps.ts";
import type { Json, ResultValue } from "./task.ts";
import { activeTrace } from "./telemetry/spans.ts";
import { inProcessSpan } from "./telemetry/task_spans.ts";
import { logLine } from "./task_log/newest_lines.ts";
import { isLogLevel, LOG_LEVELS } from "./task_log/levels.ts";
import { cutMessage, quote } from "./text.ts";
import { doneWithin, LONGEST_TIMER_MS } from "./waiting.ts";

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

/** The rules of a worker's options. */
export const WORKER: Rules<WorkerOptions> = {
  concurrency: wholeNumber(1),
  grace: numberFrom(0),
  onError: callback,
};

/** The rule of a backend. */
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
 * code, two have the same name, or an option is unknown or cannot be used.
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
    if (byName.has(job.name)) throw new DefinitionError(`Cannot run two jobs named ${job.name} in one worker.`);
    if (job.run) byName.set(job.name, job);
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
      const run = () => runClaim(byName.get(claim.task.job), claim, stopping.signal, onError);
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

/** `stopping` aborts when the worker begins to stop. */
async function runClaim(
  job: Job | undefined,
  claim: Claim,
  stopping: AbortSignal,
  onError: OnError,
): Promise<Attempt> {
  const report = (error: unknown) => onError(error, { where: RUN_A_JOB, job: claim.task.job, task: claim.task.id });
  if (!job?.run) {
    const message = `This worker has no code for the job ${claim.task.job}.`;
    report(new JobsError(message));
    return { kind: "fault", message };
  }
  const parking = new Parking(claim, job.parkAfter, stopping);
  try {
    const input = await validate(job.input, claim.input, `input for ${job.name}`);
    if (job.output) await checkSchema(job.output, `result of ${job.name}`);
    // Code that waits for the signal to abort would wait for ever.
    claim.signal.throwIfAborted();
    const run = async (signal: AbortSignal) => {
      const steps = new Steps(claim, signal, parking, job);
      try {
        return await job.run?.(input, contextOf(claim, signal, steps, onError));
      } finally {
        parking.end(); // Nothing parks a task whose code has ended.
        steps.end();
      }
    };
    const returned = await withTimeout(claim, parking, run);
    return { kind: "value", ...await resultOf(job, returned).catch(refuseResult) };
  } catch (error) {
    const failed = (thrown: unknown) => {
      const attempt = explain(thrown); // Throws if it cannot be read: code may throw any object.
      if (!claim.signal.aborted && !isExpected(thrown)) report(thrown);
      return attempt;
    };
    try {
      return failed(error);
    } catch (cause) {
      return failed(new Error("The job threw a value that cannot be read.", { cause }));
    }
  } finally {
    parking.end();
  }
}

/** What is stored for the value that the code has returned. */
async function resultOf({ name, output }: Job, returned: unknown): Promise<ResultValue> {
  const { structuredContent, parts } = isContent(returned) ? returned : { structuredContent: returned };
  if (output && parts && structuredContent === undefined) {
    throw new InvalidValue("its content(…) has no structuredContent, which the output schema demands");
  }
  const json = toJson(structuredContent, "it");
  const value = output ? await validateOutput(output, json, name) : json;
  if (parts === undefined) return { value };
  const content: unknown = parts;
  return toJson({ value, content }, "it") as Json & ResultValue; // Measured as a whole.
}

/** The job has returned what cannot be its result. */
class UnusableResult extends ToolError {}

/** Whether the job has said by itself that it fails. */
function isExpected(error: unknown): boolean {
  if (error instanceof UnusableResult || error instanceof StepMismatch) return false;
  return error instanceof ToolError || error instanceof JobFault;
}

/** Without retries: another attempt would repeat the work, only to end in the same way. */
function refuseResult(error: unknown): never {
  if (!(error instanceof InvalidValue)) {
    throw error instanceof InvalidInput ? new UnusableResult(error.message, { cause: error }) : error;
  }
  throw new UnusableResult(`The result cannot be stored: ${error.message}.`, { cause: error });
}

/** How long the worker waits for code to stop after its time-out, in ms. */
const STOP_MS = 1_000;

/**
 * Runs code with a signal that also aborts at the time-out. After that the attempt has timed out, whatever the code does,
 * unless it only waits: then the task is parked.
 */
async function withTimeout<T>(
  { signal, timeout }: Claim,
  parking: Parking,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (timeout === undefined) return await run(signal);
  const timeUp = new AbortController();
  const running = run(AbortSignal.any([signal, timeUp.signal]));
  const ended = running.then(() => {}, () => {}); // `running` itself is awaited below.
  if (await doneWithin(ended, timeout)) return await running;
  if (parking.waits) await parking.park();
  const reason = new TimedOut(timeout);
  parking.end(reason); // Before the code hears of it: what still runs must not park the task.
  timeUp.abort(reason);
  throw await doneWithin(ended, STOP_MS) ? reason : new Abandoned(timeout);
}

/** The attempt has timed out, and its code has not stopped, so it may still run. */
class Abandoned extends TimedOut {}

function contextOf(claim: Claim, signal: AbortSignal, steps: Steps, onError: OnError): JobContext {
  const { id, job, owner, attempt } = claim.task;
  const trace = activeTrace() ?? claim.trace;
  return {
    id,
    job,
    owner,
    attempt,
    signal,
    ...(trace && { trace }),
    progress: progressOf(claim.task, steps.reports, onError),
    ...steps.methods,
    log: (...args: readonly [text: string] | readonly [level: LogLevel, text: string]) => {
      const [level, text] = args.length === 1 ? ["info" as const, ...args] : args;
      return logTo(steps.reports, claim.now(), level, text);
    },
    elicit: elicitOf(steps, signal),
  };
}

/** Throws synchronously: lines need not be awaited, and an unhandled rejection would end the process. */
function logTo(reports: Pick<Claim, "report" | "log">, now: number, level: unknown, text: unknown): Promise<void> {
  if (!isLogLevel(level)) {
    throw new DefinitionError(`Cannot log with the level ${quote(String(level))}: use ${LOG_LEVELS.join(", ")}.`);
  }
  const line = logLine(now, level, String(text));
  if (level !== "debug") void reports.report({ message: cutMessage(line.text) }); // Stored with the line.
  return reports.log(line);
}

/** The longest error text that is kept, in UTF-16 units: enough for the output of a command, not for a memory dump. */
const MAX_ERROR = 1_048_576;

/** How an attempt ends whose code has thrown this. */
function explain(error: unknown): Attempt {
  const attempt = attemptOf(error);
  return { ...attempt, message: attempt.message.slice(0, MAX_ERROR).toWellFormed() };
}

/** The thrown value decides whether to retry. Code may throw any value, even `undefined`. */
function attemptOf(error: unknown): Exclude<Attempt, { kind: "value" }> {
  if (error instanceof JobFault) return { kind: "fault", message: error.message, code: error.code };
  if (error instanceof InvalidInput || error instanceof DefinitionError) {
    return { kind: "fault", message: error.message };
  }
  if (error instanceof Abandoned) {
    return { kind: "error", message: error.message, retry: true, abandoned: true };
  }
  const message = textOf(error) || `The job threw ${describe(error)} without a message.`;
  const isFinal = error instanceof ToolError || error instanceof InvalidValue;
  return { kind: "error", message, retry: !isFinal };
}

/** The message of an error, or of an object like one. */
function textOf(error: unknown): string {
  const said = typeof error === "object" && error !== null && "message" in error ? error.message : error;
  return typeof said === "string" ? said : "";
}

function describe(error: unknown): string {
  if (error instanceof Error) return error.name;
  try {
    return JSON.stringify(error) ?? String(error);
  } catch {
    return typeof error; // It cannot be JSON.
  }
}
