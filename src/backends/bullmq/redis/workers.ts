/**
 * The BullMQ workers of one worker of ours, from which jobs are requested one by one: one connection for all, and another for
 * each that waits for jobs.
 *
 * @module
 */
import type { Worker, WorkerOptions } from "bullmq";
import type { Redis } from "ioredis";
import type { WorkOptions } from "../../../backend.ts";
import { patchScripts } from "./scripts/changed.ts";
import { type BullMq, closeForGood, withDuplicate } from "../internals.ts";
import { openWaiting } from "./connection.ts";
import { withHeartbeat } from "./heartbeat.ts";
import { WORKER } from "./scripts/read.ts";

/** A BullMQ worker that runs nothing by itself. */
export interface OpenWorker {
  readonly worker: Worker;
  /** Closes the connection on which it waits for jobs. */
  stopWaiting(): Promise<void>;
}

/** BullMQ's workers, which start and end together. They wait while Redis is away. */
export class RedisWorkers {
  readonly #bullmq: BullMq;
  readonly #client: Redis;
  readonly #prefix: string;
  readonly #opened: OpenWorker[] = [];
  #connects = 0;

  /** The workers have connections of their own to the Redis of `client`, and keep the limits of these jobs. */
  constructor(bullmq: BullMq, client: Redis, prefix: string, limits: WorkOptions["limits"]) {
    this.#bullmq = bullmq;
    this.#prefix = prefix;
    this.#client = patchScripts(openWaiting(client), limits);
    this.#client.on("ready", () => this.#connects++);
  }

  /** How often the connection was made on which all claim jobs. */
  get connects(): number {
    return this.#connects;
  }

  /** Opens the worker of a queue. */
  open(queue: string, options: Omit<WorkerOptions, "connection" | "prefix">): OpenWorker {
    const settings = { ...options, connection: this.#client, prefix: this.#prefix, name: WORKER };
    const [worker, blocking] = withDuplicate(this.#client, () => new this.#bullmq.Worker(queue, null, settings));
    withHeartbeat(blocking);
    worker.on("error", () => {}); // The call on it that fails rejects, too.
    const opened = { worker, stopWaiting: () => closeForGood(blocking) };
    this.#opened.push(opened);
    return opened;
  }

  /** Closes all connections: what is still to be written is lost. */
  async close(): Promise<void> {
    await Promise.all([closeForGood(this.#client), ...this.#opened.map(({ stopWaiting }) => stopWaiting())]);
    await Promise.all(this.#opened.map(({ worker }) => worker.close(true)));
  }
}
