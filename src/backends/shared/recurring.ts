/**
 * Work that is repeated in the background.
 *
 * @module
 */
import type { OnError } from "../../log/on_error.ts";

/** Does something at regular intervals, one run at a time. An error is reported, and the next run follows. */
export class Recurring implements AsyncDisposable {
  readonly #act: () => Promise<unknown>;
  readonly #every: number;
  readonly #what: string;
  readonly #onError: OnError;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  /** `what` is for the report of an error, as "renew the lease of a worker". Times are in ms. */
  constructor(what: string, act: () => Promise<unknown>, onError: OnError, every: number, first: number = every) {
    this.#onError = onError;
    this.#act = act;
    this.#every = every;
    this.#what = what;
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
    } catch (error) {
      // What ends with its connection when all is closed has nothing to report.
      if (!this.#closed) this.#onError(error, { where: this.#what });
    }
    this.#wait(Math.max(0, begun + this.#every - performance.now()));
  }

  /** Stops, after the run under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }
}
