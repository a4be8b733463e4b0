/**
 * Workers of BullMQ that pause after errors. By itself a worker retries at once after any error but a lost connection:
 * thousands of times a second when Redis refuses writes, and without ever yielding to the rest of its process when the
 * error is known at once. It also mistakes an error while the end of a job is stored for a failure of the job.
 *
 * @module
 */
import type { Worker } from "bullmq";
import { pause } from "../../../waiting.ts";
import type { OnError } from "../../../log/on_error.ts";
import { type BullMq, retryMethodsOf } from "../internals.ts";

/** The pause after the first error, in ms; it doubles with each further error. */
const FIRST_MS = 100;

/** The longest pause, in ms. */
const LONGEST_MS = 2_000;

/** What the pauses depend on. */
export interface PauseOptions {
  readonly job: string;
  /** How long the end of a job that Redis refuses is retried, in ms: after that it is void. */
  readonly lease: number;
  readonly onError: OnError;
}

/** Makes a worker pause. */
export function pauseAfterErrors(
  { isNotConnectionError, ErrorCode }: Pick<BullMq, "isNotConnectionError" | "ErrorCode">,
  worker: Worker,
  { job, lease, onError }: PauseOptions,
  wait: typeof pause = pause,
): void {
  const methods = retryMethodsOf(worker);
  const retryIfFailed = methods.retryIfFailed.bind(methods);
  const checkConnectionError = methods.checkConnectionError.bind(methods);
  const closing = new AbortController();
  const { JobNotExist, JobLockNotExist, JobNotInState, JobLockMismatch } = ErrorCode;
  const lost: readonly unknown[] = [JobNotExist, JobLockNotExist, JobNotInState, JobLockMismatch];
  let [failures, reported] = [0, 0];
  const report = (error: unknown) => onError(error, { where: "take a job from its queue, or store its end", job });
  worker.once("closing", () => closing.abort());
  // An error while waiting for a job is reported only here.
  worker.on("error", (error) => {
    if (isNotConnectionError(error)) reported++;
    if (!closing.signal.aborted) report(error);
  });
  // A closing worker takes no more jobs; all it may still have to write are the ends of its jobs.
  const pauseNow = () => {
    const { signal } = closing;
    return signal.aborted ? wait(FIRST_MS) : wait(Math.min(FIRST_MS * 2 ** failures++, LONGEST_MS), signal);
  };
  methods.retryIfFailed = (act, options) => {
    const until = performance.now() + lease;
    const retry = async (): ReturnType<typeof act> => {
      while (true) {
        const before = reported;
        try {
          const done = await act();
          if (reported === before) failures = 0;
          else await pauseNow();
          return done;
        } catch (error) {
          // After a lost connection, BullMQ itself pauses.
          if (!(error instanceof Error) || !isNotConnectionError(error)) throw error;
          // Another worker has the job, so nothing can be stored for it, and the next one may be taken at once.
          if ("code" in error && lost.includes(error.code)) return void report(error);
          const again = isRefusal(error) && performance.now() < until;
          if (again) report(error);
          await pauseNow();
          if (!again) throw error;
        }
      }
    };
    return retryIfFailed(retry, options);
  };
  // The search for dead workers' jobs has its own interval. BullMQ's pause in addition to it would outlive the worker.
  methods.checkConnectionError = (act) => checkConnectionError(act, 0);
}

/** Whether Redis has refused a command; ioredis gives such errors this name. */
function isRefusal(error: Error): boolean {
  return error.name === "ReplyError";
}
