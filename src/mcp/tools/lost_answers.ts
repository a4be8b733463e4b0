/**
 * The answers that a client has just been sent: it may have given up a call while the answer was on its way.
 *
 * @module
 */

/** How long an answer counts as just sent, in ms, and how many do at most. */
const RECENT_MS = 60_000;
const MAX_SENT = 100;

interface Sent {
  readonly at: number;
  readonly lost: () => void;
}

/** The last answers on one connection. */
export class LostAnswers {
  readonly #now: () => number;
  /** By the ids of the requests, the oldest first. */
  readonly #sent = new Map<string | number, Sent>();

  /** `now` is the time, in ms since the epoch. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** An answer is being sent; `lost` is called if the client turns out to have given up before. */
  add(id: string | number, lost: () => void): void {
    const now = this.#now();
    this.#sent.delete(id);
    for (const [old, { at }] of this.#sent) {
      if (this.#sent.size < MAX_SENT && Math.abs(now - at) < RECENT_MS) break;
      this.#sent.delete(old);
    }
    this.#sent.set(id, { at: now, lost });
  }

  /** Whether the answer to a request has just been sent. */
  has(id: string | number): boolean {
    return this.#find(id) !== undefined;
  }

  /** The client has given up a request. If its answer has just been sent, it is lost. */
  givenUp(id: string | number): void {
    this.#find(id)?.lost();
    this.#sent.delete(id);
  }

  #find(id: string | number): Sent | undefined {
    const sent = this.#sent.get(id);
    return sent && Math.abs(this.#now() - sent.at) < RECENT_MS ? sent : undefined;
  }
}
