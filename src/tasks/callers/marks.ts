/**
 * Marks in the store for waiting calls of this server: if it is killed, others find the tasks of these calls by them.
 *
 * @module
 */
import type { Heartbeat } from "./heartbeat.ts";
import { type ListName, type OfferLists, textOf } from "./offer_lists.ts";
import { type Offer, withOffer, withoutOffer } from "./offers.ts";

/** How long a call waits before it is marked, in ms: most calls are over by then, and cost the store nothing. */
const MARK_MS = 250;

export interface Waiting {
  readonly id: string;
  /** The list of its input; `undefined` if others are not to take over its task. */
  readonly list: () => ListName | undefined;
  /** When it began to wait, in ms since the epoch. */
  readonly since: number;
}

/** The mark of the calls of this server that wait for one task and have the same list. */
interface Mark {
  readonly list: ListName;
  readonly offer: Offer;
  /** How many calls it stands for. */
  calls: number;
  stored: boolean;
  isWriting: boolean;
}

export interface MarksOptions {
  readonly lists: OfferLists;
  readonly heartbeat: Heartbeat;
  /** The time, in ms since the epoch. */
  readonly now: () => number;
  /** Writes in the background, and retries. Resolves with whether that has succeeded. */
  readonly write: (act: () => Promise<void>) => Promise<boolean>;
}

/** Marks the calls of one server. */
export class Marks implements Disposable {
  readonly #options: MarksOptions;
  /** The calls that are not marked yet, the oldest first. */
  readonly #early = new Set<Waiting>();
  readonly #marked = new Map<Waiting, Mark>();
  readonly #marks = new Map<string, Mark>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#marks.size;
  }

  /** A call begins to wait. It is marked later. */
  add(call: Waiting): void {
    this.#early.add(call);
    this.#markLater();
  }

  /** A call no longer waits. */
  delete(call: Waiting): void {
    const mark = this.#marked.get(call);
    if (this.#early.delete(call) || mark === undefined) return;
    this.#marked.delete(call);
    mark.calls--;
    this.#store(mark);
  }

  /** Marks no more calls. */
  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** One timer for all calls. */
  #markLater(): void {
    const [first] = this.#early;
    if (first === undefined || this.#timer !== undefined || this.#closed) return;
    const { now } = this.#options;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      for (const call of this.#early) {
        if (Math.abs(now() - call.since) < MARK_MS) break; // The clock may have been set back.
        this.#early.delete(call);
        this.#mark(call);
      }
      this.#markLater();
    }, Math.max(0, Math.min(MARK_MS, first.since + MARK_MS - now())));
  }

  #mark(call: Waiting): void {
    const list = call.list();
    if (list === undefined) return;
    const offer = { id: call.id, server: this.#options.heartbeat.server };
    const mark = this.#marks.get(nameOf({ list, offer })) ?? { list, offer, calls: 0, stored: false, isWriting: false };
    mark.calls++;
    this.#marks.set(nameOf(mark), mark);
    this.#marked.set(call, mark);
    this.#store(mark);
  }

  /** Writes a mark to the store, or removes it there. */
  #store(mark: Mark): void {
    if (mark.isWriting) return;
    const { lists, heartbeat, write } = this.#options;
    mark.isWriting = true;
    const written = write(async () => {
      while (mark.stored !== mark.calls > 0) {
        const isWanted = mark.calls > 0;
        if (isWanted) await heartbeat.begin();
        const change = isWanted ? withOffer : withoutOffer;
        await lists.change(mark.list, (offers) => change(offers, mark.offer));
        mark.stored = isWanted;
      }
      mark.isWriting = false;
      if (mark.calls === 0) this.#marks.delete(nameOf(mark));
    });
    void written.then((done) => {
      if (!done) mark.isWriting = false; // The next change of it tries again.
    });
  }
}

function nameOf({ list, offer }: Pick<Mark, "list" | "offer">): string {
  return `${offer.id} ${textOf(list)}`;
}
