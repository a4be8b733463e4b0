/**
 * The BullMQ workers of one worker of ours: one connection for all, and another for each that waits for jobs.
 *
 * @module
 */
import type { Processor, Worker, WorkerOptions } from "bullmq";
import type { Redis } from "ioredis";
import type { WorkOptions } from "../../../backend.ts";
import { patchScripts } from "./scripts/changed.ts";
import {
  askRedisWhatIsDue,
  type BullMq,
  closeForGood,
  closeWaitingWith,
  waitAfterLast,
  withDuplicate,
} from "../internals.ts";
import { openWaiting } from "./connection.ts";
import { withHeartbeat } from "./heartbeat.ts";
import { WORKER } from "./scripts/read.ts";

/** BullMQ's workers, which start and end together. They wait while Redis is away. */
export class RedisWorkers {
  readonly #bullmq: BullMq;
  readonly #client: Redis;
  readonly #prefix: string;
  readonly #closers: (() => Promise<void>)[] = [];

  /** The workers have connections of their own to the Redis of `client`, and keep the limits of these jobs. */
  constructor(bullmq: BullMq, client: Redis, prefix: string, limits: WorkOptions["limits"]) {
    this.#bullmq = bullmq;
    this.#prefix = prefix;
    this.#client = patchScripts(openWaiting(client), limits);
  }

  /** Starts the worker of a queue. */
  start(queue: string, process: Processor, options: Omit<WorkerOptions, "connection" | "prefix">): Worker {
    const settings = { ...options, connection: this.#client, prefix: this.#prefix, name: WORKER };
    const [worker, blocking] = withDuplicate(this.#client, () => new this.#bullmq.Worker(queue, process, settings));
    withHeartbeat(blocking);
    askRedisWhatIsDue(worker);
    waitAfterLast(worker);
    closeWaitingWith(worker, () => closeForGood(blocking));
    worker.on("error", () => {}); // Until `pauseAfterErrors` listens, which reports them.
    this.#closers.push(async () => {
      const closed = worker.close();
      await closeForGood(blocking);
      await closed;
    });
    return worker;
  }

  /** Takes no new jobs, and resolves once none runs any more. */
  async close(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()));
    await this.abandon();
  }

  /** Stops waiting for Redis: what is still to be written is lost, and `close` resolves. */
  async abandon(): Promise<void> {
    await closeForGood(this.#client);
  }
}
