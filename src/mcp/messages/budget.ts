/**
 * A budget that many senders share, of which none can use up all.
 *
 * @module
 */

/** How much each sender has of a budget. */
export class Budget {
  readonly #most: number;
  readonly #ofSenders = new Map<string, number>();
  #all = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether a sender may have so much more: as much as the sender then has must be left for all others. */
  fits(sender: string, more: number): boolean {
    return this.#of(sender) + more <= this.#most - this.#all - more;
  }

  /** Counts what a sender has in addition, or no longer if it is negative. */
  add(sender: string, more: number): void {
    const own = this.#of(sender) + more;
    this.#all += more;
    if (own > 0) this.#ofSenders.set(sender, own);
    else this.#ofSenders.delete(sender);
  }

  #of(sender: string): number {
    return this.#ofSenders.get(sender) ?? 0;
  }
}
