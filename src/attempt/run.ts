/**
 * One attempt: validates the input, runs the job's code with its time limit, and says how it ended.
 *
 * @module
 */
import type { Attempt, Claim } from "../backend.ts";
import { JobsError, TimedOut } from "../errors.ts";
import type { Job } from "../job.ts";
import { type OnError, RUN_A_JOB } from "../log/on_error.ts";
import { checkSchema, validate } from "../schema/schema.ts";
import { Parking } from "../steps/parking.ts";
import { Steps } from "../steps/steps.ts";
import { doneWithin } from "../waiting.ts";
import { contextOf } from "./context.ts";
import { Abandoned, explain, isExpected, refuseResult, resultOf } from "./ending.ts";

/** Runs the code of a claimed task once. `stopping` aborts when the worker begins to stop. */
export async function runAttempt(
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
  }
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
