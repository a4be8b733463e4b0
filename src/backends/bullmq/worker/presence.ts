/**
 * Tells Redis that a worker is alive, for operators.
 *
 * @module
 */
import type { OnError } from "../../../log/on_error.ts";
import { pause } from "../../../waiting.ts";

/** The pause before the first report is repeated while Redis fails, in ms. */
const RETRY_MS = 500;

/** What a presence reports to Redis. */
export interface Telling {
  /** The worker is alive. */
  present(): Promise<unknown>;
  /** The worker has ended. */
  gone(): Promise<unknown>;
}

/** Reports that a worker is alive, until it is closed. */
export class Presence implements AsyncDisposable {
  /** Resolves once Redis knows of the worker, or it is closed. */
  readonly known: Promise<void>;
  readonly #telling: Telling;
  readonly #every: number;
  readonly #onError: OnError;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;

  /** `every` is how often it reports, in ms. */
  constructor(telling: Telling, every: number, onError: OnError) {
    this.#telling = telling;
    this.#onError = onError;
    this.#every = every;
    const known = Promise.withResolvers<void>();
    this.known = known.promise;
    this.#ended = this.#tell(() => known.resolve()).finally(() => known.resolve());
  }

  /** If this report does not reach Redis, the worker counts as dead a little later. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#ended;
    await this.#telling.gone().catch(() => {}); // It counts as dead a little later.
  }

  async #tell(told: () => void): Promise<void> {
    const { signal } = this.#closing;
    let wait = RETRY_MS;
    while (!signal.aborted) {
      try {
        await this.#telling.present();
        wait = this.#every;
        told();
      } catch (error) {
        if (!signal.aborted) this.#onError(error, { where: "tell that a worker is alive" });
      }
      await pause(wait, signal);
    }
  }
}
