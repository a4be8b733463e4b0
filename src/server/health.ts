/**
 * Whether the backend takes tasks now, for `/healthz`.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { doneWithin } from "../waiting.ts";
import { Unavailable } from "../errors.ts";
import { type OnError, reporterOf } from "../log/on_error.ts";

/** How long the check of a backend may take, in ms. */
const TIMEOUT_MS = 2_000;

/** How long a result is reused, in ms: however many requests there are, the backend is not checked more often. */
const CACHE_MS = 5_000;

/** Checks one backend for all requests. */
export class Health {
  readonly #backend: Pick<Backend, "check">;
  readonly #onError: OnError;
  readonly #now: () => number;
  #answer: { readonly at: number; readonly healthy: Promise<void> } | undefined;
  #checking: Promise<void> | undefined;

  /** `now` is a monotonic clock, in ms. */
  constructor(backend: Pick<Backend, "check">, onError?: OnError, now: () => number = () => performance.now()) {
    this.#backend = backend;
    this.#onError = reporterOf(onError);
    this.#now = now;
  }

  /** Rejects with `Unavailable` if the backend takes no tasks, or does not answer in time. Its message is public. */
  check(): Promise<void> {
    const at = this.#now();
    if (this.#answer === undefined || at - this.#answer.at >= CACHE_MS) {
      this.#answer = { at, healthy: this.#ask() };
    }
    return this.#answer.healthy;
  }

  async #ask(): Promise<void> {
    // While a check hangs, no other is started.
    const check = async () => await this.#backend.check();
    this.#checking ??= check().finally(() => this.#checking = undefined);
    let inTime: boolean;
    try {
      inTime = await doneWithin(this.#checking, TIMEOUT_MS);
    } catch (error) {
      this.#onError(error, { where: "check the backend for /healthz" });
      throw new Unavailable("The backend takes no tasks.");
    }
    if (!inTime) throw new Unavailable("The backend does not answer.");
  }
}
