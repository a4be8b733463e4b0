/**
 * Reads items again after a time without an event, in case one was lost or never sent.
 *
 * @module
 */

/** How many items are read together. */
const AT_ONCE = 100;

/** Reads each item again at most once in `every` ms. While there are no items, no timer runs. */
export class Rereads<T> implements Disposable {
  readonly #read: (one: T) => Promise<void>;
  readonly #every: number;
  readonly #now: () => number;
  /** When each item was last seen, the oldest first. */
  readonly #seen = new Map<T, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reading = false;

  /** `read` must not reject; `now` is a clock that is never set back, in ms. */
  constructor(read: (one: T) => Promise<void>, every: number, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#every = every;
    this.#now = now;
  }

  /** Notes an event of an item now. The item is read again after a time without events. */
  saw(one: T): void {
    this.#seen.delete(one);
    this.#seen.set(one, this.#now());
    this.#wait();
  }

  /** Stops reading an item. */
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
    this.#timer = setTimeout(() => void this.#readDue(), oldest + this.#every - this.#now());
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
    const end = this.#now() - this.#every;
    return this.#seen.entries().take(AT_ONCE).filter(([, at]) => at <= end).map(([one]) => one).toArray();
  }
}
