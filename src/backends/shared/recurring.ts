/**
 * What is done again and again in the background.
 *
 * @module
 */
import { unheard } from "../../log/log_error.ts";

/** Does something at equal distances, one run at a time. A run that fails is reported on stderr, and the next one follows. */
export class Recurring implements AsyncDisposable {
  readonly #act: () => Promise<unknown>;
  readonly #every: number;
  readonly #failed: (error: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  /** `what` is for the report, as "renew the lease of a worker". Times are in ms. */
  constructor(what: string, act: () => Promise<unknown>, every: number, first: number = every) {
    this.#act = act;
    this.#every = every;
    this.#failed = unheard(what);
    this.#wait(first);
  }

  #wait(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      const begun = performance.now();
      this.#running = this.#act().then(() => {}, this.#failed);
      void this.#running.then(() => this.#wait(Math.max(0, begun + this.#every - performance.now())));
    }, ms);
  }

  /** Stops, after the run under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }
}
