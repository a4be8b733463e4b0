/**
 * Work that is repeated in the background.
 *
 * @module
 */
import type { OnError } from "../../log/on_error.ts";

/** When recurring work runs; all in ms. */
export interface Pace {
  /** From the beginning of one run to that of the next. */
  readonly every: number;
  /** Until the first run; default: `every`. */
  readonly first?: number;
  /** From one run to the next until one has succeeded; default: `every`. */
  readonly retry?: number;
}

/** Does something at regular intervals, one run at a time. An error is reported, and the next run follows. */
export class Recurring implements AsyncDisposable {
  readonly #act: () => Promise<unknown>;
  readonly #every: number;
  readonly #what: string;
  /** How long it is from the run under way to the next. */
  #next: number;
  readonly #onError: OnError;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  /** `what` is for the report of an error, as "renew the lease of a worker". */
  constructor(
    what: string,
    act: () => Promise<unknown>,
    onError: OnError,
    { every, first = every, retry = every }: Pace,
  ) {
    this.#onError = onError;
    this.#act = act;
    this.#every = every;
    this.#what = what;
    this.#next = retry;
    this.#wait(first);
  }

  #wait(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#running = this.#run(), ms);
  }

  async #run(): Promise<void> {
    const begun = performance.now();
    try {
      await this.#act();
      this.#next = this.#every;
    } catch (error) {
      // What ends with its connection when all is closed has nothing to report.
      if (!this.#closed) this.#onError(error, { where: this.#what });
    }
    this.#wait(Math.max(0, begun + this.#next - performance.now()));
  }

  /** Stops, after the run under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }
}
