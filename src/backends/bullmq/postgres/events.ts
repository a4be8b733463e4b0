/**
 * The events of all queues on PostgreSQL, read together.
 *
 * BullMQ's own QueueEvents reads on from the last number that it has seen. Numbers are given out before a transaction
 * is committed, so one that is slow to commit is left behind for good. Here numbers that are missing are asked for again.
 *
 * @module
 */
import type { PgPool } from "bullmq";
import { logError } from "../../../log/log_error.ts";
import type { Following, Hear } from "../database.ts";

/** How often events are looked for without being notified, in ms: of several commits at once BullMQ notifies one. */
const LOOK_MS = 500;

/** For how long a number that is missing is asked for, in ms. */
const MISSING_MS = 10_000;

/** For how many numbers that are missing it is asked at once: a database that was restored may have left out millions. */
const MAX_MISSING = 10_000;

/**
 * From what step in the numbers on it is looked whether events were dropped in between. BullMQ keeps those of a queue's
 * last 10,000 numbers, or as many as its owner says, and counts the numbers of all queues.
 */
const LARGE_STEP = 256;

/** The most events read at once. */
const MAX_EVENTS = 5_000;

interface Followed {
  readonly hear: Hear;
  readonly missed: () => void;
}

interface Row {
  readonly id: string;
  readonly queue: string;
  readonly event: string;
  readonly job: string | null;
  readonly prev: string | null;
}

/** Reads the events of the queues that are followed. */
export class PostgresEvents {
  readonly #pool: PgPool;
  readonly #queues = new Map<string, Followed>();
  /** The numbers that were missing when a later one was read, and when that was. */
  readonly #missing = new Map<number, number>();
  #last: number | undefined;
  #missed = false;
  #reading: Promise<void> | undefined;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #open = true;

  constructor(pool: PgPool) {
    this.#pool = pool;
  }

  /** Follows a queue from now on, or from its first event. */
  async follow(queue: string, followed: Followed, fromStart: boolean): Promise<Following> {
    if (this.#last === undefined) {
      const last = await this.#lastStored();
      this.#last ??= last;
    }
    this.#queues.set(queue, followed);
    if (fromStart) {
      const sql = `SELECT id, queue, event, data ->> 'jobId' AS job, data ->> 'prev' AS prev FROM event
        WHERE queue = $1 AND id <= $2 ORDER BY id`;
      const { rows } = await this.#pool.query<Row>(sql, [queue, this.#last]);
      for (const row of rows) this.#hand(row);
    }
    this.look();
    return { close: () => Promise.resolve(void this.#queues.delete(queue)) };
  }

  /** There may be new events. */
  look(): void {
    if (!this.#open || this.#last === undefined) return;
    clearTimeout(this.#timer);
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = this.#read().catch((error) => {
      if (this.#open) logError("read the events of queues", error);
    }).finally(() => {
      this.#reading = undefined;
      if (this.#again) this.look();
      else if (this.#open) this.#timer = setTimeout(() => this.look(), LOOK_MS);
    });
  }

  /** Notifications may have been missed. Those who follow are told once PostgreSQL answers. */
  missed(): void {
    this.#missed = true;
    this.look();
  }

  /** Stops reading. */
  async close(): Promise<void> {
    this.#open = false;
    clearTimeout(this.#timer);
    await this.#reading;
  }

  async #read(): Promise<void> {
    this.#again = false;
    if (this.#missed) await this.#begin();
    const last = this.#last ?? 0;
    const sql = `SELECT id, queue, event, data ->> 'jobId' AS job, data ->> 'prev' AS prev FROM event
      WHERE queue = ANY ($1) AND (id > $2 OR id = ANY ($3)) ORDER BY id LIMIT ${MAX_EVENTS}`;
    const { rows } = await this.#pool.query<Row>(sql, [[...this.#queues.keys()], last, [...this.#missing.keys()]]);
    const dropped = Number(rows.at(-1)?.id ?? 0) - last < LARGE_STEP ? [] : await this.#dropped(last);
    const now = Date.now();
    for (const row of rows) {
      const id = Number(row.id);
      this.#missing.delete(id);
      for (let missing = Math.max(this.#last ?? id, id - MAX_MISSING); ++missing < id;) this.#missing.set(missing, now);
      this.#last = Math.max(id, this.#last ?? 0);
      this.#hand(row);
    }
    for (const [id, since] of this.#missing) {
      // They stand in the order in which they were missed.
      if (since + MISSING_MS > now && this.#missing.size <= MAX_MISSING) break;
      this.#missing.delete(id);
    }
    if (rows.length === MAX_EVENTS) this.#again = true;
    for (const queue of dropped) this.#queues.get(queue)?.missed();
  }

  /** The queues of which nothing is left that was read before, so that more may be gone. */
  async #dropped(last: number): Promise<readonly string[]> {
    const sql = `SELECT queue FROM unnest($1::text[]) queue
      WHERE NOT EXISTS (SELECT FROM event WHERE event.queue = queue.queue AND id <= $2)`;
    const { rows } = await this.#pool.query<{ queue: string }>(sql, [[...this.#queues.keys()], last]);
    return rows.map(({ queue }) => queue);
  }

  /** After a failover to a replica that was behind, numbers are given out again: what follows counts from there. */
  async #begin(): Promise<void> {
    this.#last = Math.min(this.#last ?? 0, await this.#lastStored());
    this.#missed = false;
    for (const { missed } of this.#queues.values()) missed();
  }

  async #lastStored(): Promise<number> {
    const sql = "SELECT coalesce(max(id), 0) AS last FROM event";
    const { rows: [row] } = await this.#pool.query<{ last: string }>(sql);
    return Number(row?.last ?? 0);
  }

  #hand({ queue, event, job, prev }: Row): void {
    if (job !== null) this.#queues.get(queue)?.hear(job, event === "waiting" && prev === null);
  }
}
