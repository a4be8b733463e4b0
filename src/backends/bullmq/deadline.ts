/**
 * Waits for answers with a deadline.
 *
 * @module
 */

/** The extra time, in ms, for an answer that has arrived but was not handled yet because the process was busy. */
const BUSY_MS = 50;

/** How long Redis has to answer, in ms. */
const ANSWER_MS = 1_200;

/** What a slow line to Redis carries at least, in UTF-16 units per ms: a large input has that much more time. */
const SLOWEST = 5_000;

interface Waiting {
  readonly until: number;
  /** The time was up when it was last checked. */
  late: boolean;
  readonly giveUp: () => void;
}

/**
 * Waits for answers that all have the same time and come in order: an answer behind a large one has that one's time as
 * well. One timer serves all, because one for each call would be expensive.
 */
export class Deadline {
  readonly #message: string;
  readonly #ms: number;
  /** In the order in which their time is up. */
  readonly #waiting = new Set<Waiting>();
  #last = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** An answer that takes longer than `ms` is an error with this message. */
  constructor(message: string, ms: number) {
    this.#message = message;
    this.#ms = ms;
  }

  /** Waits for the answer to a request of this size; rejects if it is late. */
  async wait<T>(answer: Promise<T>, size = 0): Promise<T> {
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const ms = this.#ms + size / SLOWEST;
    this.#last = Math.max(performance.now() + ms, this.#last);
    const waiting = { until: this.#last, late: false, giveUp: () => reject(new Error(this.#message)) };
    this.#waiting.add(waiting);
    this.#timer ??= setTimeout(() => this.#check(), ms);
    try {
      return await Promise.race([answer, givenUp]);
    } finally {
      this.#waiting.delete(waiting);
      if (this.#waiting.size === 0) this.#stop();
    }
  }

  #check(): void {
    const now = performance.now();
    for (const waiting of this.#waiting) {
      if (waiting.until > now) break;
      if (waiting.late) waiting.giveUp();
      waiting.late = true;
    }
    const [first] = this.#waiting;
    this.#timer = first && setTimeout(() => this.#check(), first.late ? BUSY_MS : first.until - now);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last = 0;
  }
}

/** The deadline for Redis's answers. */
export function redisDeadline(): Deadline {
  return new Deadline("it has not answered in time", ANSWER_MS);
}

/** Waits for one answer; rejects with `message` if it takes longer than `ms`. */
export function inTime<T>(answer: Promise<T>, message: string, ms: number): Promise<T> {
  return new Deadline(message, ms).wait(answer);
}
