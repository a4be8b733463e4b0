/**
 * Deletes expired tasks. How long a result is kept counts from its task's end and differs from task to task. BullMQ's
 * own clean-up has one age for a whole queue, so it cannot do this.
 *
 * @module
 */
import { logError } from "../../log/log_error.ts";
import type { RedisRecords } from "./redis/records.ts";
import { expiryOf, hasExpired } from "./snapshot.ts";

/** How often expired tasks are looked up, in ms. */
const SWEEP_MS = 5_000;

/** How many tasks are checked together. */
const BATCH = 100;

/** The longest pause before an unfinished task is checked again, in ms. */
const UNFINISHED_MS = 600_000;

/**
 * The pause before a task is checked again that could not be read, or whose job runs on after it has expired, in ms.
 */
const RETRY_MS = 60_000;

/** The part of the records that a sweeper uses. */
type SweptRecords = Pick<RedisRecords, "due" | "read" | "expire" | "postpone">;

/** Deletes expired tasks at regular intervals. */
export class Sweeper implements AsyncDisposable {
  readonly #records: SweptRecords;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  /** Starts. The first sweep comes after a random part of the interval, so that processes take turns. */
  constructor(records: SweptRecords) {
    this.#records = records;
    this.#schedule(SWEEP_MS * Math.random());
  }

  #schedule(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      // What fails now is still due the next time.
      const failed = (error: unknown) => this.#closed || logError("look for tasks that have expired", error);
      this.#sweeping = this.#sweep().then(() => {}, failed).then(() => this.#schedule(SWEEP_MS));
    }, ms);
  }

  async #sweep(): Promise<void> {
    while (!this.#closed) {
      const ids = await this.#records.due(BATCH);
      // A task that fails does not hold up the others. While Redis is away, postponing fails too, which ends the sweep.
      const retry = (id: string) => this.#records.postpone(id, RETRY_MS);
      const checks = await Promise.allSettled(ids.map((id) => this.#check(id).catch(() => retry(id))));
      if (ids.length < BATCH || checks.some(({ status }) => status === "rejected")) return;
    }
  }

  async #check(id: string): Promise<void> {
    const snapshot = await this.#records.read(id);
    if (snapshot === undefined) return await this.#records.postpone(id, Infinity);
    if (hasExpired(snapshot)) {
      if (!await this.#records.expire(snapshot)) await this.#records.postpone(id, RETRY_MS);
      return;
    }
    const end = expiryOf(snapshot);
    const pause = Math.max(SWEEP_MS, Math.min(snapshot.resultTtl, UNFINISHED_MS));
    await this.#records.postpone(id, end === undefined ? pause : end - snapshot.readAt);
  }

  /** Stops, after the sweep under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
  }
}
