/**
 * Answers that come in time.
 *
 * @module
 */

/** What is added once the time is up, in ms, for an answer that is there and has not been looked at: a busy process. */
const SECOND_LOOK_MS = 50;

/** How long a store has to answer what was sent to it, in ms. */
const ANSWER_MS = 1_200;

/** What a slow line to a store carries at least, in UTF-16 units per ms: a large input has as much more time. */
const SLOWEST = 5_000;

interface Waiting {
  readonly until: number;
  late: boolean;
  readonly giveUp: () => void;
}

/**
 * Waits for answers that have all the same time to come, and come in their order: what was sent behind something large
 * has that one's time as well. One timer serves all: a timer for each would cost a call dear.
 */
export class Deadline {
  readonly #why: string;
  readonly #ms: number;
  /** In the order in which their time is up. */
  readonly #waiting = new Set<Waiting>();
  #last = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** An answer that does not come within `ms` is given up with `why`. */
  constructor(why: string, ms: number) {
    this.#why = why;
    this.#ms = ms;
  }

  /** Waits for the answer to something of this size; rejects with the reason if it does not come in time. */
  async meet<T>(answer: Promise<T>, size = 0): Promise<T> {
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const ms = this.#ms + size / SLOWEST;
    this.#last = Math.max(performance.now() + ms, this.#last);
    const waiting = { until: this.#last, late: false, giveUp: () => reject(new Error(this.#why)) };
    this.#waiting.add(waiting);
    this.#timer ??= setTimeout(() => this.#look(), ms);
    try {
      return await Promise.race([answer, givenUp]);
    } finally {
      this.#waiting.delete(waiting);
      if (this.#waiting.size === 0) this.#stop();
    }
  }

  #look(): void {
    const now = performance.now();
    for (const waiting of this.#waiting) {
      if (waiting.until > now) break;
      if (waiting.late) waiting.giveUp();
      waiting.late = true;
    }
    const [first] = this.#waiting;
    this.#timer = first && setTimeout(() => this.#look(), first.late ? SECOND_LOOK_MS : first.until - now);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last = 0;
  }
}

/** For the answers of a store. */
export function storeDeadline(): Deadline {
  return new Deadline("it has not answered in time", ANSWER_MS);
}

/** Waits for one answer; rejects with `why` if it does not come within `ms`. */
export function inTime<T>(answer: Promise<T>, why: string, ms: number): Promise<T> {
  return new Deadline(why, ms).meet(answer);
}
