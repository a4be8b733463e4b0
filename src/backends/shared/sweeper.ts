/**
 * Deletes what is no longer needed, page after page, so that nobody else is held up for long.
 *
 * @module
 */
import type { OnError } from "../../log/on_error.ts";
import { pause } from "../../waiting.ts";
import { Recurring } from "./recurring.ts";

/** What a sweeper deletes, and when. */
export interface SweeperOptions {
  /** What a sweep does, for the report of one that fails, as "delete what has expired". */
  readonly what: string;
  /** How often, in ms. */
  readonly every: number;
  /** Deletes a page. Resolves with whether there may be more. */
  readonly page: () => Promise<boolean>;
  /** How long to wait between two pages, in ms. */
  readonly pause: number;
  /** Receives the error of a sweep that fails. */
  readonly onError: OnError;
}

export class Sweeper implements AsyncDisposable {
  readonly #options: SweeperOptions;
  readonly #sweeps: Recurring;
  #closed = false;

  /** Starts; the first sweep is after a random part of the time between two, so that processes take turns. */
  constructor(options: SweeperOptions) {
    this.#options = options;
    const { what, every, onError } = options;
    this.#sweeps = new Recurring(what, () => this.sweep(), onError, { every, first: every * Math.random() });
  }

  /** Deletes all that is due. */
  async sweep(): Promise<void> {
    while (!this.#closed && await this.#options.page()) {
      await pause(this.#options.pause);
    }
  }

  /** Stops, after the page under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#sweeps[Symbol.asyncDispose]();
  }
}
