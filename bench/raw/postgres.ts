/**
 * What BullMQ itself gives on PostgreSQL, in one process. Its worker tells when a job is done: of its QueueEvents, which
 * lose events under load there, a benchmark would wait for ever.
 */
import { createPostgresBackend, Queue, Worker } from "bullmq";
import pg from "pg";
import { makePool } from "../../src/backends/bullmq/postgres/connection.ts";
import { now } from "../jobs.ts";

const QUEUE = "raw";
const CONNECTIONS = 10;

/** A queue and its worker. */
export class RawPostgres implements AsyncDisposable {
  readonly #pools: readonly ReturnType<typeof makePool>["pool"][];
  readonly #queue: Queue;
  readonly #worker: Worker;

  constructor(url: string, concurrency: number) {
    const open = () => makePool(pg, url, CONNECTIONS).pool;
    const [forQueue, forWorker] = [open(), open()];
    const run = () => Promise.resolve({ ranAt: now() });
    this.#pools = [forQueue, forWorker];
    this.#queue = new Queue(QUEUE, { connection: forQueue }, createPostgresBackend) as unknown as Queue;
    const options = { connection: forWorker, concurrency };
    this.#worker = new Worker(QUEUE, run, options, createPostgresBackend) as unknown as Worker;
  }

  /** Jobs per second from add to completed, with `inFlight` under way. */
  async throughput(total: number, inFlight: number): Promise<number> {
    await Promise.all([this.#queue.waitUntilReady(), this.#worker.waitUntilReady()]);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let [sent, done] = [0, 0];
    const send = () => {
      if (sent++ < total) this.#queue.add("tick", {}).catch(reject);
    };
    const seen = () => ++done === total ? resolve() : send();
    this.#worker.on("completed", seen);
    const start = performance.now();
    for (let i = 0; i < inFlight; i++) send();
    await promise;
    this.#worker.off("completed", seen);
    return total / ((performance.now() - start) / 1_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close();
    await this.#queue.close();
    await Promise.all(this.#pools.map((pool) => pool.end()));
  }
}
