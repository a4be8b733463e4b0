/**
 * Waits for another process, with a time limit that leaves out what this process slept through.
 *
 * @module
 */

/** How often the time that has passed is counted, in ms. */
const TICK_MS = 50;

/** What a slow line to a store carries at least, in UTF-16 units per ms: a large input has that much more time. */
const SLOWEST = 5_000;

interface Waiting {
  readonly until: number;
  readonly giveUp: () => void;
}

/**
 * Waits for answers that all have the same time and come in order: an answer behind a large one has that one's time as
 * well. One timer serves all, because one for each call would be expensive. It counts no more than its own interval,
 * however late it is: while this process or its machine stands still, it handles no answer, and the other side may give
 * none.
 */
export class Deadline {
  readonly #message: string;
  readonly #ms: number;
  /** In the order in which their time is up. */
  readonly #waiting = new Set<Waiting>();
  /** How much time is counted since something waits, in ms. */
  #counted = 0;
  #last = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** An answer that takes longer than `ms` is an error with this message. */
  constructor(message: string, ms: number) {
    this.#message = message;
    this.#ms = ms;
  }

  /** Waits for the answer to a request of this size; rejects if it is late, and then calls `late`. */
  async wait<T>(answer: Promise<T>, size = 0, late?: () => void): Promise<T> {
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const end = this.begin((error) => {
      reject(error);
      late?.();
    }, size);
    try {
      return await Promise.race([answer, givenUp]);
    } finally {
      end();
    }
  }

  /** Calls `giveUp` with the error once the time for a request of this size is up, unless the wait was ended before. */
  begin(giveUp: (error: Error) => void, size = 0): () => void {
    this.#last = Math.max(this.#counted + this.#ms + size / SLOWEST, this.#last);
    const waiting = { until: this.#last, giveUp: () => giveUp(new Error(this.#message)) };
    this.#waiting.add(waiting);
    this.#timer ??= setTimeout(() => this.#tick(), TICK_MS);
    return () => {
      this.#waiting.delete(waiting);
      if (this.#waiting.size === 0) this.#stop();
    };
  }

  /** Counts this tick only at its end: an answer that has arrived before is handled before its time is up. */
  #tick(): void {
    for (const { until, giveUp } of this.#waiting) {
      if (until > this.#counted) break;
      giveUp();
    }
    this.#counted += TICK_MS;
    this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#counted = 0;
    this.#last = 0;
  }
}

/** Waits for one answer; rejects with `message` if it takes longer than `ms`. */
export function inTime<T>(answer: Promise<T>, message: string, ms: number): Promise<T> {
  return new Deadline(message, ms).wait(answer);
}
