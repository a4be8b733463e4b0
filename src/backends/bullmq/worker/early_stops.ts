/**
 * Requests to stop a task that arrive before its run.
 *
 * @module
 */

/** How long a request is remembered, in ms: BullMQ's reply with the job may be on its way that long. */
const REMEMBERED_MS = 2_000;

/** Tasks that are to stop and have no run here: they run elsewhere, or their run starts in a moment. */
export class EarlyStops {
  readonly #receivedAt = new Map<string, number>();

  /** Remembers a request, and drops old ones. */
  add(id: string): void {
    const now = performance.now();
    for (const [old, at] of this.#receivedAt) {
      if (now - at < REMEMBERED_MS) break;
      this.#receivedAt.delete(old);
    }
    this.#receivedAt.set(id, now);
  }

  /** Whether a task is to stop. */
  has(id: string): boolean {
    return this.#receivedAt.has(id);
  }
}
