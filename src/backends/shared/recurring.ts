/**
 * Work that is repeated in the background.
 *
 * @module
 */
import { logError } from "../../log/log_error.ts";

/** Does something at regular intervals, one run at a time. An error is reported on stderr, and the next run follows. */
export class Recurring implements AsyncDisposable {
  readonly #act: () => Promise<unknown>;
  readonly #every: number;
  readonly #what: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  /** `what` is for the report, as "renew the lease of a worker". Times are in ms. */
  constructor(what: string, act: () => Promise<unknown>, every: number, first: number = every) {
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
      if (!this.#closed) logError(this.#what, error);
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
