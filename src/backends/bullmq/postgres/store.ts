/**
 * BullMQ on PostgreSQL, through BullMQ's own backend.
 *
 * @module
 */
import type { PgModule, PgPool, Queue } from "bullmq";
import { makePool, settings } from "./connection.ts";
import { storeDeadline } from "../deadline.ts";
import { PostgresEvents } from "./events.ts";
import { PostgresListener } from "./listener.ts";
import { PostgresRecords } from "./records.ts";
import { DDL } from "./schema.ts";
import { PostgresWorkers } from "./workers.ts";
import { readSignal } from "../signals.ts";
import type { BullMq, Following, Hear, Signal, Store, Workers } from "../database.ts";

/** The most connections of a process that its calls share. */
const MAX_CONNECTIONS = 10;

/** The most connections that one BullMQ worker has; one of them waits for jobs. */
const WORKER_CONNECTIONS = 5;

async function load(): Promise<{ readonly bullmq: BullMq; readonly pg: PgModule }> {
  const [bullmq, { default: pg }] = await Promise.all([import("bullmq"), import("pg")]);
  return { bullmq, pg };
}

/** Makes, or brings up to date, BullMQ's schema and our tables in it. */
export async function migrate(url: string): Promise<void> {
  const { bullmq, pg } = await load();
  const client = new pg.Client(settings(url));
  client.on("error", () => {}); // Each call tells of its own failure; unheard, an error ends the process.
  await client.connect();
  try {
    await bullmq.runMigrations(client);
    await client.query(DDL);
  } finally {
    await client.end();
  }
}

/** A PostgreSQL with BullMQ on it. */
export class PostgresStore implements Store {
  readonly bullmq: BullMq;
  readonly records: PostgresRecords;
  readonly answers = storeDeadline();
  readonly #pg: PgModule;
  readonly #url: string;
  readonly #pool: PgPool;
  readonly #queues = new Map<string, Queue>();
  readonly #listeners = new Set<(signal: Signal) => void>();
  readonly #back = new Set<() => void>();
  readonly #events: PostgresEvents;
  readonly #listener: PostgresListener;

  private constructor(bullmq: BullMq, pg: PgModule, url: string, pool: PgPool) {
    this.bullmq = bullmq;
    this.#pg = pg;
    this.#url = url;
    this.#pool = pool;
    this.records = new PostgresRecords(pool, (name) => this.queue(name), this.answers);
    this.#events = new PostgresEvents(pool);
    this.#listener = new PostgresListener({
      channels: ["bullmq_events", "mcp_jobs"],
      makeClient: () => new pg.Client({ ...settings(url), keepAlive: true }),
      hear: ({ channel, payload }) => channel === "mcp_jobs" ? this.#hear(payload ?? "") : this.#events.look(),
      listening: () => this.#reconnected(),
    });
  }

  /** Connects. Rejects at once if PostgreSQL is not there, or `migrate` has not been run. */
  static async open(url: string): Promise<PostgresStore> {
    const { bullmq, pg } = await load();
    const { pool } = makePool(pg, url, MAX_CONNECTIONS);
    try {
      const { rows: [row] } = await pool.query<{ ours: string | null }>("SELECT to_regclass('mcp_jobs_task') AS ours");
      if (row?.ours === null) throw new Error("its tables are missing; run BullMqBackend.migrate({ postgres }) once");
    } catch (error) {
      await pool.end();
      throw error;
    }
    return new PostgresStore(bullmq, pg, url, pool);
  }

  async queue(name: string): Promise<Queue> {
    // BullMQ remembers of a queue that it could not connect; so it is asked only while PostgreSQL answers.
    if (!this.#queues.has(name)) await this.#pool.query("SELECT");
    const queue = this.#queues.get(name) ?? this.#open(name);
    try {
      await queue.waitUntilReady();
    } catch (error) {
      this.#queues.delete(name);
      throw error;
    }
    return queue;
  }

  follow(queue: string, hear: Hear, missed: () => void, since?: number): Promise<Following> {
    return this.#events.follow(queue, { hear, missed }, since !== undefined);
  }

  workers(): Workers {
    return new PostgresWorkers(this.bullmq, () => makePool(this.#pg, this.#url, WORKER_CONNECTIONS));
  }

  /** Finds out whether it only reads, as a replica does; what a full disk does it does not find. */
  async check(): Promise<void> {
    await this.#pool.query("UPDATE mcp_jobs_task SET id = id WHERE false");
  }

  async hasWorker(name: string): Promise<boolean> {
    return await (await this.queue(name)).getWorkersCount() > 0;
  }

  listen(listener: (signal: Signal) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get away(): undefined {
    return undefined; // The pool connects anew for each call that needs it.
  }

  onBack(listener: () => void): void {
    this.#back.add(listener);
  }

  async close(): Promise<void> {
    await this.#listener.close();
    await this.#events.close();
    // BullMQ's queues hold nothing but the pool. A closed one answers nothing any more: who has asked would wait for ever.
    await this.#pool.end();
  }

  #open(name: string): Queue {
    const { Queue, createPostgresBackend } = this.bullmq;
    // The queue's settings are its owner's: nothing of ours is written there.
    const options = { connection: this.#pool, skipMetasUpdate: true };
    const queue: Queue = new Queue(name, options, createPostgresBackend) as unknown as Queue;
    queue.on("error", () => {});
    this.#queues.set(name, queue);
    return queue;
  }

  #hear(message: string): void {
    const signal = readSignal(message);
    if (signal) this.#tell(signal);
  }

  #reconnected(): void {
    this.#tell({ kind: "gap" });
    this.#events.missed();
    for (const listener of this.#back) listener();
  }

  #tell(signal: Signal): void {
    for (const listener of [...this.#listeners]) listener(signal);
  }
}
