/**
 * Workers of BullMQ whose jobs begin as soon as they are there, and end as soon as they are done.
 *
 * By itself such a worker, if it may run several at once, asks for one job after the other until there is none left or
 * no room, and begins with the first of them then: each job waits for at least one more trip to the database.
 *
 * @module
 */
import type { Job, Processor, Worker } from "bullmq";

/** Runs a job that the token locks. */
type Run = (job: Job, token: string) => Promise<unknown>;

/** Starts a worker of BullMQ by way of `start`, which gets what the worker is to do with a job. */
export function startWithHeadStart(start: (process: Processor) => Worker, run: Run, concurrency: number): Worker {
  const begun = new WeakMap<Job, Promise<unknown>>();
  const begin = (job: Job, token: string) => {
    const running = begun.get(job) ?? run(job, token);
    begun.set(job, running);
    return running;
  };
  const worker = start((job, token = "") => {
    worker.concurrency = concurrency;
    return begin(job, token);
  });
  worker.on("active", (job) => {
    // BullMQ fails the first without a run; there is no second, whatever the type says; the third has begun already.
    if (job.deferredFailure || job.token === undefined || begun.has(job)) return;
    // Without room for more the worker stops asking, and comes to this job next; then there is room again.
    worker.concurrency = 1;
    begin(job, job.token).catch(() => {}); // The worker looks at it in a moment.
  });
  return worker;
}
