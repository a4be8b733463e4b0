/**
 * Workers of BullMQ that pause after an error. By itself such a worker, after each error that is not one of its
 * connection, asks again at once: thousands of times a second where Redis refuses to write, and without ever letting
 * anything else in its process run where the answer is known already. And it takes a refusal to store a job's end for the
 * job's failure.
 *
 * @module
 */
import type { Worker } from "bullmq";
import { doneWithin } from "../../../waiting.ts";
import { logError } from "../../../log/log_error.ts";
import type { BullMq } from "../database.ts";

/** The pause after a first error, in ms; each after another error is twice as long. */
const FIRST_MS = 100;

/** The longest pause, in ms. */
const LONGEST_MS = 2_000;

/** What a worker does, and could not do. */
const TAKE_OR_END = "take a job from its queue, or store its end";

/** Waits for so many ms, or until something comes that is earlier. */
export type Wait = (ms: number, unless?: Promise<void>) => Promise<void>;

/** What a worker has to be for this. Its own type does not show all of it. */
type Pausing = Pick<Worker, "on" | "once"> & {
  retryIfFailed<T>(act: () => Promise<T>, options: unknown): Promise<T>;
  checkConnectionError<T>(act: () => Promise<T>, delay?: number): Promise<T | undefined>;
};

/** Has a worker pause. The end of a job is written again while Redis refuses it, for up to `lease` ms: then it is void. */
export function pauseAfterErrors(
  { isNotConnectionError }: Pick<BullMq, "isNotConnectionError">,
  worker: Worker,
  lease: number,
  wait: Wait = pause,
): void {
  const pausing = worker as unknown as Pausing;
  for (const name of ["retryIfFailed", "checkConnectionError"] as const) {
    if (typeof pausing[name] !== "function") {
      throw new Error(`BullMQ's workers have no "${name}", as in its version 6.7.`);
    }
  }
  const retryIfFailed = pausing.retryIfFailed.bind(pausing);
  const checkConnectionError = pausing.checkConnectionError.bind(pausing);
  const closing = Promise.withResolvers<void>();
  let [failures, told, isClosing] = [0, 0, false];
  pausing.once("closing", () => {
    isClosing = true;
    closing.resolve();
  });
  // What has kept a worker from waiting for a job is told here only.
  pausing.on("error", (error) => {
    if (isNotConnectionError(error)) told++;
    if (!isClosing) logError(TAKE_OR_END, error);
  });
  // A worker that closes asks for nothing any more; what it may still have to write are the ends of its jobs.
  const pauseNow = () =>
    isClosing ? wait(FIRST_MS) : wait(Math.min(FIRST_MS * 2 ** failures++, LONGEST_MS), closing.promise);
  pausing.retryIfFailed = (act, options) => {
    const until = performance.now() + lease;
    const insist = async (): ReturnType<typeof act> => {
      while (true) {
        const before = told;
        try {
          const done = await act();
          if (told === before) failures = 0;
          else await pauseNow();
          return done;
        } catch (error) {
          // After an error of its connection BullMQ pauses, too.
          if (!(error instanceof Error) || !isNotConnectionError(error)) throw error;
          const again = isRefusal(error) && performance.now() < until;
          if (again) logError(TAKE_OR_END, error);
          await pauseNow();
          if (!again) throw error;
        }
      }
    };
    return retryIfFailed(insist, options);
  };
  // The search for dead workers' jobs pauses by itself; a pause of BullMQ's own beside that would outlive the worker.
  pausing.checkConnectionError = (act) => checkConnectionError(act, 0);
}

/** Whether Redis has said no, as ioredis tells it. */
function isRefusal(error: Error): boolean {
  return error.name === "ReplyError";
}

async function pause(ms: number, unless: Promise<void> = new Promise(() => {})): Promise<void> {
  await doneWithin(unless, ms);
}
