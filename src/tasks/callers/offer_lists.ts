/**
 * The lists of offers in the store. Changes of one list that this process makes at the same moment are written together.
 *
 * @module
 */
import type { KeyStore } from "../../backend.ts";
import { remember } from "../../recent.ts";
import { currentOffers, formatOffers, type Offer, parseOffers } from "./offers.ts";

/** A list: that of an owner and a key. */
export interface ListName {
  readonly owner: string;
  readonly key: string;
}

/** The list of the tasks of calls of a job that have this in common. */
export function listOfIdentity(job: string, identity: string, owner: string): ListName {
  return { owner, key: `orphan:${job}:${identity}` };
}

/** What the calls of such a list have in common. */
export function identityOfList({ key }: ListName): string {
  return key.slice(key.lastIndexOf(":") + 1);
}

/**
 * How many lists that are not empty a process remembers. If it has forgotten one, the store refuses its next start
 * (`NewTask.unless`), and the list is read.
 */
const MAX_FILLED = 1_000;

type Change = (offers: readonly Offer[]) => readonly Offer[];

/** Changes that are written together. */
interface Batch {
  readonly changes: Change[];
  begun: boolean;
  readonly done: Promise<void>;
}

/** Reads and changes the lists. */
export class OfferLists {
  readonly #keys: KeyStore;
  readonly #now: () => number;
  /** The lists that were not empty when this process last read or wrote them. */
  readonly #filled = new Map<string, true>();
  /** The newest batch of each list that is not written yet. */
  readonly #batches = new Map<string, Batch>();

  /** `now` is the time, in ms since the epoch. */
  constructor(keys: KeyStore, now: () => number) {
    this.#keys = keys;
    this.#now = now;
  }

  /** Whether a list is empty in the store, as far as this process knows. */
  seemsEmpty(list: ListName): boolean {
    const name = textOf(list);
    return !this.#filled.has(name) && !this.#batches.has(name);
  }

  /** Reads a list, once the changes are written that this process has made. */
  async read(list: ListName): Promise<readonly Offer[]> {
    await this.#batches.get(textOf(list))?.done.catch(() => {}); // The call that made the change gets the error.
    return currentOffers(parseOffers(await this.#read(list)), this.#now());
  }

  /** Changes a list. `change` may be called again if another server was faster. Rejects if the store fails. */
  change(list: ListName, change: Change): Promise<void> {
    const before = this.#batches.get(textOf(list));
    if (before && !before.begun) {
      before.changes.push(change);
      return before.done;
    }
    const batch: Batch = { changes: [change], begun: false, done: this.#after(before, () => this.#write(list, batch)) };
    this.#batches.set(textOf(list), batch);
    return batch.done;
  }

  /** Removes an offer. Resolves with whether this call did: of several, only one does. */
  async remove(list: ListName, isRight: (offer: Offer) => boolean): Promise<boolean> {
    while (true) {
      const text = await this.#read(list);
      const offers = parseOffers(text);
      if (!offers.some(isRight)) return false;
      const left = offers.filter((offer) => !isRight(offer));
      if (await this.#replace(list, text, formatOffers(left))) return true;
    }
  }

  async #after(before: Batch | undefined, write: () => Promise<void>): Promise<void> {
    await before?.done.catch(() => {}); // The call that made that change gets the error.
    await write();
  }

  async #write(list: ListName, batch: Batch): Promise<void> {
    try {
      while (true) {
        const text = await this.#read(list);
        batch.begun = true; // What comes from now on joins the next batch.
        const before = currentOffers(parseOffers(text), this.#now());
        const after = formatOffers(batch.changes.reduce((offers, change) => change(offers), before));
        if (after === text || await this.#replace(list, text, after)) return;
      }
    } finally {
      if (this.#batches.get(textOf(list)) === batch) this.#batches.delete(textOf(list));
    }
  }

  async #read(list: ListName): Promise<string | undefined> {
    const text = await this.#keys.readKey(list.owner, list.key);
    this.#know(list, text);
    return text;
  }

  async #replace(list: ListName, from: string | undefined, to: string | undefined): Promise<boolean> {
    const done = await this.#keys.writeKey(list.owner, list.key, from, to);
    if (done) this.#know(list, to);
    return done;
  }

  #know(list: ListName, text: string | undefined): void {
    if (text === undefined) this.#filled.delete(textOf(list));
    else remember(this.#filled, textOf(list), true, MAX_FILLED);
  }
}

/** A list's name as the key of a map. */
export function textOf({ owner, key }: ListName): string {
  return JSON.stringify([owner, key]);
}
