/**
 * Reads again, from time to time, what has not been heard of for long: an event may have been lost, or was never sent.
 *
 * @module
 */

/** How many are read together. */
const AT_ONCE = 100;

/** What is to be read again, each at most once in so many ms. While there is nothing, no timer runs. */
export class Rereads<T> implements Disposable {
  readonly #read: (one: T) => Promise<void>;
  readonly #every: number;
  /** When each was last seen; the longest ago first. */
  readonly #seen = new Map<T, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading = false;

  /** `read` must not reject. */
  constructor(read: (one: T) => Promise<void>, every: number) {
    this.#read = read;
    this.#every = every;
  }

  /** It was heard of now, and is read again if that does not happen for long. */
  saw(one: T): void {
    this.#seen.delete(one);
    this.#seen.set(one, performance.now());
    this.#wait();
  }

  /** It is read no more. */
  forget(one: T): void {
    this.#seen.delete(one);
    if (this.#seen.size === 0) this.#stop();
  }

  [Symbol.dispose](): void {
    this.#seen.clear();
    this.#stop();
  }

  #wait(): void {
    const [oldest] = this.#seen.values();
    if (oldest === undefined || this.#reading || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => void this.#readDue(), oldest + this.#every - performance.now());
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #readDue(): Promise<void> {
    this.#timer = undefined;
    this.#reading = true;
    for (let due = this.#due(); due.length > 0; due = this.#due()) {
      for (const one of due) this.saw(one);
      await Promise.all(due.map((one) => this.#read(one)));
    }
    this.#reading = false;
    this.#wait();
  }

  #due(): readonly T[] {
    const end = performance.now() - this.#every;
    return this.#seen.entries().take(AT_ONCE).filter(([, at]) => at <= end).map(([one]) => one).toArray();
  }
}
