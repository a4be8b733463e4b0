/**
 * Looks now and then, while there is something to look for: signals may not come through.
 *
 * @module
 */
import { unheard } from "../../../log/log_error.ts";

/** The pause between two looks, in ms. */
const LOOK_MS = 500;

/** Looks again and again, from when it is told to until nothing is left to look for. */
export class Lookout implements Disposable {
  readonly #look: () => Promise<void>;
  readonly #isNeeded: () => boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking = false;
  #closed = false;

  /** A look may fail; the next one comes in time. */
  constructor(look: () => Promise<void>, isNeeded: () => boolean) {
    this.#look = look;
    this.#isNeeded = isNeeded;
  }

  /** There is something to look for, in a while. */
  start(): void {
    if (this.#closed || this.#looking) return;
    this.#timer ??= setTimeout(() => void this.now(), LOOK_MS);
  }

  /** Looks at once. */
  async now(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#looking = true;
    await this.#look().catch(unheard("look for tasks that are to stop"));
    this.#looking = false;
    if (this.#isNeeded()) this.start();
  }

  /** Looks no more. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
