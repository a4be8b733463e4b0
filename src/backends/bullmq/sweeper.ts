/**
 * Deletes what has expired. How long a result is kept counts from its end and differs from task to task, so BullMQ's
 * own clean-up, which has one age for a whole queue, cannot do it.
 *
 * @module
 */
import { logError } from "../../log/log_error.ts";
import type { Records } from "./database.ts";
import { expiryOf, hasExpired } from "./snapshot.ts";

/** How often expired tasks are looked for, in ms. */
const SWEEP_MS = 5_000;

/** How many are looked at together. */
const BATCH = 100;

/** How long an unfinished task is left alone after a look, in ms. */
const LOOK_AGAIN_MS = 600_000;

/** How long a task is left alone that cannot be looked at, or whose job runs on after it has expired, in ms. */
const LATER_MS = 60_000;

/** What a sweeper needs of the records. */
type SweptRecords = Pick<Records, "due" | "read" | "expire" | "postpone">;

/** Looks for expired tasks now and then. */
export class Sweeper implements AsyncDisposable {
  readonly #records: SweptRecords;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  /** Starts; the first look is after a random part of the pause, so that processes take turns. */
  constructor(records: SweptRecords) {
    this.#records = records;
    this.#wait(SWEEP_MS * Math.random());
  }

  #wait(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      // What fails now is due again the next time.
      const failed = (error: unknown) => this.#closed || logError("look for tasks that have expired", error);
      this.#sweeping = this.#sweep().then(() => {}, failed).then(() => this.#wait(SWEEP_MS));
    }, ms);
  }

  async #sweep(): Promise<void> {
    while (!this.#closed) {
      const ids = await this.#records.due(BATCH);
      // One that fails keeps nobody from the others. While the store is away the pause fails, too, and ends the round.
      const later = (id: string) => this.#records.postpone(id, LATER_MS);
      const looks = await Promise.allSettled(ids.map((id) => this.#look(id).catch(() => later(id))));
      if (ids.length < BATCH || looks.some(({ status }) => status === "rejected")) return;
    }
  }

  async #look(id: string): Promise<void> {
    const snapshot = await this.#records.read(id);
    if (snapshot === undefined) return await this.#records.postpone(id, Infinity);
    if (hasExpired(snapshot)) {
      if (!await this.#records.expire(snapshot)) await this.#records.postpone(id, LATER_MS);
      return;
    }
    const end = expiryOf(snapshot);
    const pause = Math.max(SWEEP_MS, Math.min(snapshot.resultTtl, LOOK_AGAIN_MS));
    await this.#records.postpone(id, end === undefined ? pause : end - snapshot.readAt);
  }

  /** Stops, after the look under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
  }
}
