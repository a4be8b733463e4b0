/**
 * A clock of this process, which a test sets until it disposes of this: the one that tells the time, or, with `performance`,
 * the one that measures it.
 */
export class SetClock implements Disposable {
  readonly #clock: Pick<Performance, "now">;
  readonly #now: () => number;

  /** `ahead` is by how many ms it is fast. */
  constructor(public ahead: number = 0, clock: Pick<Performance, "now"> = Date) {
    this.#clock = clock;
    this.#now = clock.now;
    clock.now = () => this.#now.call(clock) + this.ahead;
  }

  [Symbol.dispose](): void {
    this.#clock.now = this.#now;
  }
}
