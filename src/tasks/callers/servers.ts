/**
 * Whether other servers use the same store, or have used it of late. One that is alone need not look for what others have left.
 *
 * @module
 */
import type { OfferLists } from "./offer_lists.ts";
import { withOffer, withoutOffer } from "./offers.ts";

/** The list of servers, each as an offer. */
const SERVERS = { owner: "", key: "servers" };

/** For how long what was read is used, in ms. */
const FRESH_MS = 1_000;

/** For how long a server is listed, and how often it says that it is there, in ms. Marks of calls are kept for less. */
const LISTED_MS = 10 * 60_000;
const SAY_MS = 2 * 60_000;

/** What a server knows of others. */
export class Servers {
  readonly #lists: OfferLists;
  readonly #server: string;
  readonly #now: () => number;
  #saidAt: number | undefined;
  #readAt = -Infinity;
  #others: Promise<boolean> = Promise.resolve(true);

  /** `server` is the name of this one; `now` the time, in ms since the epoch. */
  constructor(lists: OfferLists, server: string, now: () => number) {
    this.#lists = lists;
    this.#server = server;
    this.#now = now;
  }

  /** Whether there may be others. Resolves once they know of this one. */
  others(): Promise<boolean> {
    const now = this.#now();
    if (Math.abs(now - this.#readAt) < FRESH_MS) return this.#others;
    this.#readAt = now;
    // A store that fails has no others to tell of; the call itself fails, too.
    return this.#others = this.#look(now).catch(() => true);
  }

  /** Nobody need look for this one any more. */
  async leave(): Promise<void> {
    if (this.#saidAt === undefined) return;
    await this.#lists.change(SERVERS, (offers) => withoutOffer(offers, { id: this.#server }));
  }

  async #look(now: number): Promise<boolean> {
    if (this.#saidAt === undefined || Math.abs(now - this.#saidAt) >= SAY_MS) {
      const us = { id: this.#server, until: now + LISTED_MS };
      await this.#lists.change(SERVERS, (offers) => withOffer(offers, us));
      this.#saidAt = now;
    }
    const servers = await this.#lists.read(SERVERS);
    // The list is not longer than any other: if ours has been dropped from it, there are many.
    return servers.length !== 1 || servers[0]?.id !== this.#server;
  }
}
