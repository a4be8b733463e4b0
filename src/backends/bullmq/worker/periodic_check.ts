/**
 * A check at regular intervals while there is something to check: signals may be lost.
 *
 * @module
 */

/** The pause between two checks, in ms. */
const CHECK_MS = 500;

/** Repeats a check, from `start` until it is no longer needed. */
export class PeriodicCheck implements Disposable {
  readonly #check: () => Promise<void>;
  readonly #isNeeded: () => boolean;
  readonly #failed: (error: unknown) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #checking = false;
  #closed = false;

  /** `failed` receives the error of a check that fails; it is repeated after the usual pause. */
  constructor(check: () => Promise<void>, isNeeded: () => boolean, failed: (error: unknown) => void) {
    this.#failed = failed;
    this.#check = check;
    this.#isNeeded = isNeeded;
  }

  /** Checks after a pause. */
  start(): void {
    if (this.#closed || this.#checking) return;
    this.#timer ??= setTimeout(() => void this.now(), CHECK_MS);
  }

  /** Checks at once. */
  async now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#checking = true;
    await this.#check().catch(this.#failed);
    this.#checking = false;
    if (this.#isNeeded()) this.start();
  }

  /** Stops checking. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
