/**
 * The BullMQ workers of one worker of ours, on one connection of their own, and one more for each that waits for jobs.
 *
 * @module
 */
import type { Processor, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { askWhatIsDue, withRedisClock } from "./clock.ts";
import { closable, end, withCopy } from "./connection.ts";
import { withPulse } from "./pulse.ts";
import { WORKER } from "./scripts/lua.ts";
import type { BullMq, QueueWorkerOptions, Workers } from "../database.ts";

/** BullMQ's workers on Redis. */
export class RedisWorkers implements Workers {
  readonly #bullmq: BullMq;
  readonly #client: Redis;
  readonly #prefix: string;
  readonly #closers: (() => Promise<void>)[] = [];

  /** `patient` is the connection to copy. */
  constructor(bullmq: BullMq, patient: Redis, prefix: string) {
    this.#bullmq = bullmq;
    this.#prefix = prefix;
    this.#client = withRedisClock(withPulse(closable(patient.duplicate())));
    this.#client.on("error", () => {});
  }

  start(name: string, run: Processor, options: QueueWorkerOptions): Worker {
    const settings = { ...options, connection: this.#client, prefix: this.#prefix, name: WORKER };
    const [worker, copy] = withCopy(this.#client, () => new this.#bullmq.Worker(name, run, settings));
    askWhatIsDue(worker);
    worker.on("error", () => {});
    this.#closers.push(async () => {
      const closed = worker.close();
      await end(copy);
      await closed;
    });
    return worker;
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()));
    await this.abandon();
  }

  async abandon(): Promise<void> {
    await end(this.#client);
  }
}
