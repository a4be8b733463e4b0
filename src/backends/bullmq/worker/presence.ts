/**
 * Stores on Redis that a worker is alive, for operators.
 *
 * @module
 */
import type { OnError } from "../../../log/on_error.ts";
import { pause } from "../../../waiting.ts";

/** The pause before the first report is repeated while Redis fails, in ms. */
const RETRY_MS = 500;

/** Stores the presence of one worker. */
export interface PresenceStore {
  /** Stores that the worker is alive. */
  renew(): Promise<unknown>;
  /** Stores that the worker has ended. */
  end(): Promise<unknown>;
}

/** Reports that a worker is alive, until it is closed. */
export class Presence implements AsyncDisposable {
  /** Resolves once Redis knows of the worker, or it is closed. */
  readonly known: Promise<void>;
  readonly #store: PresenceStore;
  readonly #every: number;
  readonly #onError: OnError;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;

  /** `every` is how often it reports, in ms. */
  constructor(store: PresenceStore, every: number, onError: OnError) {
    this.#store = store;
    this.#onError = onError;
    this.#every = every;
    const known = Promise.withResolvers<void>();
    this.known = known.promise;
    this.#ended = this.#report(() => known.resolve()).finally(() => known.resolve());
  }

  /** If this report does not reach Redis, the worker counts as dead a little later. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#ended;
    await this.#store.end().catch(() => {}); // It counts as dead a little later.
  }

  async #report(reported: () => void): Promise<void> {
    const { signal } = this.#closing;
    let wait = RETRY_MS;
    while (!signal.aborted) {
      try {
        await this.#store.renew();
        wait = this.#every;
        reported();
      } catch (error) {
        if (!signal.aborted) this.#onError(error, { where: "store that a worker is alive" });
      }
      await pause(wait, signal);
    }
  }
}
