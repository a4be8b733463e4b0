/**
 * Workers of BullMQ that start each job as soon as it arrives.
 *
 * By itself a worker that may run several jobs at once requests one job after the other, until none is left or it has
 * no more room, and only then starts the first. So each job waits for at least one more round trip to Redis.
 *
 * @module
 */
import type { Job, Processor, Worker } from "bullmq";

/** Runs a job that the token locks. */
type Run = (job: Job, token: string) => Promise<unknown>;

/** Makes a worker of BullMQ with `start`, which gets the processor to pass to it. */
export function startWithHeadStart(start: (process: Processor) => Worker, run: Run, concurrency: number): Worker {
  const started = new WeakMap<Job, Promise<unknown>>();
  const startOnce = (job: Job, token: string) => {
    const running = started.get(job) ?? run(job, token);
    started.set(job, running);
    return running;
  };
  const worker = start((job, token = "") => {
    worker.concurrency = concurrency;
    return startOnce(job, token);
  });
  worker.on("active", (job) => {
    // BullMQ fails a job with a deferred failure without a run. After a stall there is no token, despite the type.
    if (job.deferredFailure || job.token === undefined || started.has(job)) return;
    // Without room for more, the worker stops requesting jobs and processes this one; the processor restores the room.
    worker.concurrency = 1;
    startOnce(job, job.token).catch(() => {}); // The worker handles the failure in a moment.
  });
  return worker;
}
