/**
 * Which numbers of events a process has read.
 *
 * @module
 */
import type { Database } from "./connecting/database.ts";

/** How long a missing number is read again, in ms: longer than any statement takes. */
export const MISSING_MS = 15_000;

/**
 * How many numbers before one are checked for missing ones: far more than are under way. A log that opens when all events
 * have expired does not know the numbers before its first one.
 */
const RECENT = 1_000;

/** The numbers that one process has read. */
export class EventNumbers {
  /** Missing numbers, with the time at which each was first missed. */
  readonly #missing = new Map<number, number>();
  #last = 0;

  /** Begins after these numbers. Only those that are missing among them may still appear. */
  constructor(numbers: readonly number[]) {
    this.#last = Math.max(0, (numbers.at(-1) ?? 0) - RECENT);
    for (const seq of numbers) this.add(seq, performance.now());
  }

  /** The highest number that was read. */
  get last(): number {
    return this.#last;
  }

  /** The numbers before it that may still appear. */
  get missing(): readonly number[] {
    return [...this.#missing.keys()];
  }

  /** Notes that a number was read, and which ones before it are missing. */
  add(seq: number, now: number): void {
    const first = Math.max(this.#last + 1, seq - RECENT);
    for (let number = first; number < seq; number++) this.#missing.set(number, now);
    this.#missing.delete(seq);
    this.#last = Math.max(this.#last, seq);
  }

  /** Gives up numbers that have been missing for long: they were rolled back. */
  giveUp(now: number): void {
    for (const [number, since] of this.#missing) {
      if (now - since > MISSING_MS) this.#missing.delete(number);
    }
  }
}

/** The numbers of the last events, to begin after them. */
export async function lastNumbers({ run, schema }: Database): Promise<readonly number[]> {
  const rows = await run<{ seq: number }>({
    text: `SELECT seq::float8 AS seq FROM ${schema}.events
      WHERE seq > (SELECT max(seq) FROM ${schema}.events) - ${RECENT} ORDER BY seq`,
  });
  return rows.map(({ seq }) => seq);
}
