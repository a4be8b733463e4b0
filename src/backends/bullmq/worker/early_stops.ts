/**
 * Wishes to cancel that are heard before the run that they mean.
 *
 * @module
 */

/** How long a wish is kept, in ms: BullMQ's answer to who asked for a job may be on its way as long. */
const KEPT_MS = 2_000;

/** The tasks that are to stop, of which no run is known here: another worker's, or this one's in a moment. */
export class EarlyStops {
  readonly #heardAt = new Map<string, number>();

  /** Keeps a wish, and drops those that are too old. */
  add(id: string): void {
    const now = performance.now();
    for (const [old, at] of this.#heardAt) {
      if (now - at < KEPT_MS) break;
      this.#heardAt.delete(old);
    }
    this.#heardAt.set(id, now);
  }

  /** Whether somebody wants a task to stop. */
  has(id: string): boolean {
    return this.#heardAt.has(id);
  }
}
