/**
 * The BullMQ workers of one worker of ours on PostgreSQL. They wait while it is away, as those on Redis do.
 *
 * @module
 */
import type { PgPool, PgPoolClient, PgQueryResult, Processor, Worker } from "bullmq";
import { doneWithin } from "../../../waiting.ts";
import type { makePool } from "./connection.ts";
import type { BullMq, QueueWorkerOptions, Workers } from "../database.ts";

/** The pause before the next try to connect, in ms. */
const RETRY_MS = 200;

/** The code of the errors that BullMQ knows as a lost connection; after any other the job would have failed. */
const AWAY = "ECONNREFUSED";

/**
 * What PostgreSQL itself says while it goes or comes, takes no more connections, or has rolled back one of two who waited
 * for each other: SQLSTATE.
 */
const TRY_AGAIN = /^(08...|57P..|53300|40...)$/;

/** The connections of one worker of BullMQ, and the way to cut them. */
type Connections = ReturnType<typeof makePool>;

/** A pool for workers: to connect is to wait until PostgreSQL is there, and a lost connection fails no job. */
export class PatientPool implements PgPool {
  readonly #pool: PgPool;
  readonly #given = Promise.withResolvers<"up">();
  #open = true;

  constructor(pool: PgPool) {
    this.#pool = pool;
  }

  connect(): Promise<PgPoolClient> {
    return this.#insist(() => this.#pool.connect(), () => true);
  }

  query<Row>(text: string, values?: readonly unknown[]): Promise<PgQueryResult<Row>> {
    // What was sent and not answered may have been done. To do it twice does no harm: an end that stands is refused, and
    // a job that was taken unseen is given back once its lock has run out. What PostgreSQL has rolled back is tried again
    // as well: after an error BullMQ would look for stalled jobs 5 s later only, closed or not.
    return this.#insist(() => this.#pool.query<Row>(text, values), passes);
  }

  on(event: "error" | "connect", listener: (value: never) => void): this {
    this.#pool.on(event as "error", listener as (error: Error) => void);
    return this;
  }

  removeAllListeners(event?: string): this {
    this.#pool.removeAllListeners(event);
    return this;
  }

  /** Waits for PostgreSQL no longer. */
  giveUp(): void {
    this.#open = false;
    this.#given.resolve("up");
  }

  end(): Promise<void> {
    return this.#pool.end();
  }

  async #insist<T>(act: () => Promise<T>, isPassing: (error: unknown) => boolean): Promise<T> {
    while (true) {
      try {
        return await act();
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (!this.#open) throw Object.assign(new Error("PostgreSQL is away.", { cause: error }), { code: AWAY });
        await doneWithin(this.#given.promise, RETRY_MS);
      }
    }
  }
}

/** BullMQ's workers on PostgreSQL. */
export class PostgresWorkers implements Workers {
  readonly #bullmq: BullMq;
  readonly #makePool: () => Connections;
  readonly #started: { readonly worker: Worker; readonly pool: PatientPool; readonly cut: () => void }[] = [];

  /** `makePool` makes the connections of one of them. */
  constructor(bullmq: BullMq, makePool: () => Connections) {
    this.#bullmq = bullmq;
    this.#makePool = makePool;
  }

  start(name: string, run: Processor, options: QueueWorkerOptions): Worker {
    const { pool: connections, cut } = this.#makePool();
    const pool = new PatientPool(connections);
    const { Worker, createPostgresBackend } = this.#bullmq;
    const settings = { ...options, connection: pool };
    const worker = new Worker(name, run, settings, createPostgresBackend) as unknown as Worker;
    worker.on("error", () => {});
    this.#started.push({ worker, pool, cut });
    return worker;
  }

  async close(): Promise<void> {
    await Promise.all(this.#started.map(async ({ worker, pool }) => {
      pool.giveUp();
      await worker.close();
      await pool.end();
    }));
  }

  abandon(): Promise<void> {
    for (const { cut } of this.#started) cut();
    return Promise.resolve();
  }
}

/** PostgreSQL gives each of its errors a code of five characters; without one it has not answered. */
function passes(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return !/^[0-9A-Z]{5}$/.test(code) || TRY_AGAIN.test(code);
}
