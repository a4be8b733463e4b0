/**
 * The BullMQ workers of one worker of ours, on one connection of their own, and one more for each that waits for jobs.
 *
 * @module
 */
import type { Processor, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { betweenNoTries, end } from "./redis_connection.ts";
import type { BullMq, QueueWorkerOptions, Workers } from "./store.ts";

/** BullMQ's workers on Redis. */
export class RedisWorkers implements Workers {
  readonly #bullmq: BullMq;
  readonly #client: Redis;
  readonly #prefix: string;
  readonly #workers: Worker[] = [];

  /** `patient` is the connection to copy. */
  constructor(bullmq: BullMq, patient: Redis, prefix: string) {
    this.#bullmq = bullmq;
    this.#prefix = prefix;
    this.#client = patient.duplicate();
    this.#client.on("error", () => {});
  }

  start(name: string, run: Processor, options: QueueWorkerOptions): Worker {
    const worker = new this.#bullmq.Worker(name, run, {
      connection: this.#client,
      prefix: this.#prefix,
      maxStalledCount: 2,
      runRetryDelay: 500,
      // A worker with room for several tasks sometimes misses that a retry has become due; then it looks after this time.
      drainDelay: 0.5,
      ...options,
    });
    worker.on("error", () => {});
    this.#workers.push(worker);
    return worker;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map(async (worker) => {
      const waiting = await worker.getBackend().blockingClient;
      if (waiting) await betweenNoTries(waiting);
      await worker.close();
    }));
    await this.abandon();
  }

  async abandon(): Promise<void> {
    await end(this.#client);
  }
}
