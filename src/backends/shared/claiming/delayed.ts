/**
 * Makes delayed tasks ready once they are due, as far as one worker knows of them.
 *
 * @module
 */
import type { TaskEvent } from "../../../backend.ts";
import type { Queue, Store } from "../store/store.ts";

/** A clock counts as set back from this difference on, in ms. */
const SET_BACK_MS = 1_000;

/** The delayed tasks of a queue. */
export class Delayed {
  readonly #store: Pick<Store, "now">;
  readonly #queue: Queue;
  /** When the next delayed task is due by the store's clock, as far as this worker knows. Initially: at once. */
  #dueAt = 0;
  /** When this worker last made tasks ready. */
  #promotedAt = Infinity;

  constructor(store: Pick<Store, "now">, queue: Queue) {
    this.#store = store;
    this.#queue = queue;
  }

  /** Takes the due time of a delayed task from its event. */
  receive(event: TaskEvent): void {
    if (event.kind === "gap") this.#dueAt = 0;
    else if ("dueAt" in event.task) this.#dueAt = Math.min(this.#dueAt, event.task.dueAt ?? Infinity);
  }

  /** Makes due tasks ready. Resolves with the time until the next delayed one is due, in ms, as far as this worker knows. */
  async promote(): Promise<number> {
    const now = this.#store.now();
    // True for the first call, too: the clock may have been set back before this process began.
    const setBack = now < this.#promotedAt - SET_BACK_MS;
    if (setBack || this.#dueAt <= now) {
      this.#dueAt = Infinity; // An event may set it while the queue promotes.
      try {
        this.#dueAt = Math.min(await this.#queue.promote(setBack) ?? Infinity, this.#dueAt);
      } catch (error) {
        this.#dueAt = 0; // The next call tries again.
        throw error;
      }
    }
    this.#promotedAt = now;
    return Math.max(0, this.#dueAt - now);
  }
}
