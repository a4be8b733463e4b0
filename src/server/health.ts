/**
 * Whether a backend takes tasks now, as `/healthz` tells.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { doneWithin } from "../waiting.ts";
import { Unavailable } from "../errors.ts";
import { logError } from "../log/log_error.ts";

/** How long a backend may take for its check, in ms. */
const PATIENCE_MS = 2_000;

/** How long an answer holds, in ms: however many ask, the backend is checked no more often. */
const HOLDS_MS = 5_000;

/** Checks one backend for all who ask. */
export class Health {
  readonly #backend: Pick<Backend, "check">;
  readonly #now: () => number;
  #answer: { readonly at: number; readonly healthy: Promise<void> } | undefined;
  #checking: Promise<void> | undefined;

  /** `now` is a clock that is never set back, in ms. */
  constructor(backend: Pick<Backend, "check">, now: () => number = () => performance.now()) {
    this.#backend = backend;
    this.#now = now;
  }

  /** Rejects with `Unavailable`, whose text anybody may read, where the backend takes no tasks or does not say so in time. */
  check(): Promise<void> {
    const at = this.#now();
    if (this.#answer === undefined || at - this.#answer.at >= HOLDS_MS) {
      this.#answer = { at, healthy: this.#ask() };
    }
    return this.#answer.healthy;
  }

  async #ask(): Promise<void> {
    // A check that hangs is not followed by more of its kind.
    const check = async () => await this.#backend.check();
    this.#checking ??= check().finally(() => this.#checking = undefined);
    let inTime: boolean;
    try {
      inTime = await doneWithin(this.#checking, PATIENCE_MS);
    } catch (error) {
      logError("store anything, as /healthz has tried", error);
      throw new Unavailable("The backend takes no tasks.");
    }
    if (!inTime) throw new Unavailable("The backend does not answer.");
  }
}
