/**
 * The calls of this server that wait for their tasks, and what they leave to others: a task whose caller is gone without an
 * answer is offered to the next call with the same input. A call that waits for longer also says so in the store, so that
 * its task is offered even if this server is killed.
 *
 * @module
 */
import type { KeyStore } from "../../backend.ts";
import type { OnError } from "../../log/on_error.ts";
import type { TaskInfo } from "../../task.ts";
import { pause, tryAgain } from "../../waiting.ts";
import { Heartbeat, OtherServers } from "./heartbeat.ts";
import { type ListName, OfferLists, textOf } from "./offer_lists.ts";
import { Marks, type Waiting } from "./marks.ts";
import { hasAnswer, openElsewhere, readIfThere, type ReadTask } from "./offered_tasks.ts";
import {
  type CallOrigin,
  type Offer,
  type OfferOptions,
  type Taken,
  type TakeOptions,
  withOffer,
  withoutOffer,
} from "./offers.ts";
import { Patience, SHORT_WAIT_MS, waitOf } from "./patience.ts";

/**
 * For how long a call waits for the cancellation of one that seems to wait for the same, in ms: it may come later, because it
 * comes over another connection.
 */
const OVERTAKEN_MS = 250;

/** A task for which calls wait. */
interface Awaited {
  readonly calls: Set<Wait>;
  /** Whether another call is taking it over from calls of this server whose clients cannot be reached. */
  taken: boolean;
  /** Whether a caller that does not wait has received it, too. */
  given: boolean;
  /** Whether one of the calls has started it; otherwise it has a caller elsewhere. */
  isOurs: boolean;
}

/** One call's wait. */
export interface Wait extends Waiting {
  readonly awaited: Awaited;
  readonly session?: string;
  /** When the client has closed the stream of the call, in ms since the epoch; `undefined` while it can receive the answer. */
  readonly closedAt: () => number | undefined;
}

export class Callers implements Disposable {
  readonly #lists: OfferLists;
  readonly #heartbeat: Heartbeat;
  readonly #others: OtherServers;
  /** The time, in ms since the epoch. */
  readonly now: () => number;
  readonly patience: Patience = new Patience();
  readonly #onError: OnError;
  /** The tasks for which calls wait, by their ids. */
  readonly #awaited = new Map<string, Awaited>();
  readonly #marks: Marks;
  /** The calls for which `close` waits. */
  readonly #calls = new Set<Promise<void>>();
  readonly #writing = new Set<Promise<boolean>>();
  /** Offers of callers that have left before their task was stored, by list. */
  readonly #leaving = new Map<string, Map<Promise<void>, number>>();
  #numbers = 0;

  constructor(keys: KeyStore, now: () => number, onError: OnError) {
    this.#onError = onError;
    this.now = now;
    this.#lists = new OfferLists(keys, now);
    this.#heartbeat = new Heartbeat(keys, () => this.#marks.size > 0, onError);
    const write = (act: () => Promise<void>) => this.#write(act);
    this.#marks = new Marks({ lists: this.#lists, heartbeat: this.#heartbeat, now, write });
    this.#others = new OtherServers(keys);
  }

  nextNumber(): number {
    return ++this.#numbers;
  }

  /** A call begins to wait for a task; `found`: for that of another start. */
  wait(
    { id }: Pick<TaskInfo, "id">,
    list: () => ListName | undefined,
    found: boolean = false,
    closedAt: () => number | undefined = () => undefined,
    session?: string,
  ): Wait {
    const awaited = this.#awaited.get(id) ?? { calls: new Set(), taken: false, given: false, isOurs: false };
    const wait = { id, list, since: this.now(), awaited, session, closedAt };
    awaited.calls.add(wait);
    awaited.taken = false;
    awaited.isOurs ||= !found;
    this.#awaited.set(id, awaited);
    this.#marks.add(wait);
    return wait;
  }

  /** A call no longer waits. `answered`: it has its answer, such as the task itself or its handle. */
  leave(wait: Wait, answered: boolean): void {
    const { id, awaited } = wait;
    if (!awaited.calls.delete(wait)) return; // It has left already.
    awaited.given ||= answered;
    if (awaited.calls.size === 0) this.#awaited.delete(id);
    this.#marks.delete(wait);
  }

  /**
   * Whether somebody else needs the task of a call that no longer waits: another call waits for it, here or in another living
   * server, a caller has received its id or handle, or a call in another server has started it. Of several calls that leave,
   * the last one gets `false`.
   */
  async isShared({ id, awaited, list }: Wait): Promise<boolean> {
    if (isReachable(awaited) || awaited.given || !awaited.isOurs) return true;
    const name = list();
    if (name === undefined) return false;
    const servers = (await this.#lists.read(name)).flatMap((offer) => offer.id === id ? offer.server ?? [] : []);
    const others = servers.filter((server) => server !== this.#heartbeat.server);
    return (await Promise.all(others.map((server) => this.#isAlive(server)))).includes(true);
  }

  /**
   * Offers a task that is stored, or is about to be, to the next call. A task that is not stored after all is not offered.
   * Calls with a higher number that come meanwhile wait for the offer. The call that leaves may itself still wait for
   * others, but only for those with a lower number.
   */
  async offer(
    begun: Promise<TaskInfo>,
    list: ListName,
    { ms, number = 0, givenUpAfter }: OfferOptions = {},
  ): Promise<void> {
    const until = ms === undefined ? undefined : this.now() + ms;
    // The call that starts it gets the error.
    const offering = begun.catch(() => undefined).then(async (task) => {
      if (task === undefined) return;
      await this.#write(() =>
        this.#lists.change(list, (offers) => withOffer(offers, { id: task.id, until, givenUpAfter }))
      );
    });
    const name = textOf(list);
    const leaving = this.#leaving.get(name) ?? new Map();
    this.#leaving.set(name, leaving.set(offering, number));
    try {
      await offering;
    } finally {
      if (leaving.delete(offering) && leaving.size === 0) this.#leaving.delete(name);
    }
  }

  /** Whether no task is offered, as far as this server knows. */
  seemsEmpty(list: ListName): boolean {
    return !this.#leaving.has(textOf(list)) && this.#lists.seemsEmpty(list);
  }

  /**
   * Takes over a task that is offered, unless it is cancelled; `read` rejects for one that is gone. Of several calls only
   * one receives a task. Waits for the offers of calls with a lower number.
   *
   * A call that seems to wait in this server may have been given up. Unless `isUnique`, this waits a moment for its
   * cancellation, which can be late only if the client has several connections. If none comes, a call of the same client that
   * has waited for `SHORT_WAIT_MS` counts as given up. If `isUnique`, an open task of a call in another server is left to its
   * key, which finds it at once.
   */
  async take(
    list: ListName,
    read: ReadTask,
    { number = Infinity, origin = {}, isUnique = false }: TakeOptions = {},
  ): Promise<Taken> {
    let mayBeOvertaken = !isUnique && !origin.isOnlyClient;
    const leaving = () => [...this.#leaving.get(textOf(list)) ?? []].filter(([, other]) => other < number);
    for (let earlier = leaving(); earlier.length > 0; earlier = leaving()) {
      await Promise.all(earlier.map(([offering]) => offering));
    }
    while (true) {
      const client = isUnique || mayBeOvertaken ? {} : origin;
      const offers = await this.#lists.read(list);
      const open = isUnique ? await openElsewhere(offers, this.#heartbeat.server, read) : [];
      for (const task of open) this.replacedLost(task, list);
      const others = offers.filter(({ id }) => !open.some((task) => task.id === id));
      const offer = await this.#firstFree(others, client);
      if (offer === undefined) {
        const waitsHere = offers.some(({ server }) => server === this.#heartbeat.server);
        if (!mayBeOvertaken || !waitsHere) return {};
        mayBeOvertaken = false;
        await pause(OVERTAKEN_MS);
        continue;
      }
      // Read first: if the store fails here, the next call still finds the task.
      const task = await readIfThere(offer.id, read);
      const [call] = this.#awaited.get(offer.id)?.calls ?? [];
      const givenUpAfter = call && this.#isGivenUp(offer.id, origin) ? waitOf(call) : offer.givenUpAfter;
      const taken = offer.server === this.#heartbeat.server
        ? this.#takeHere(offer.id, client)
        : await this.#lists.remove(list, ({ id, server }) => id === offer.id && server === offer.server);
      if (taken && task && hasAnswer(task)) return { task, givenUpAfter };
    }
  }

  /**
   * A start has found an existing task, so it need not be offered any more. `waits`: its call waits for the task.
   * Does not wait for the store.
   */
  found({ id }: Pick<TaskInfo, "id">, list: ListName, waits: boolean): void {
    const awaited = this.#awaited.get(id);
    if (awaited && !waits) awaited.given = true;
    void this.#write(() => this.#lists.change(list, (offers) => withoutOffer(offers, { id })));
  }

  /**
   * A call is, or will be, answered in place of those that were lost with their servers: the next call is not to receive their
   * task, too, and calls that wait for it here may cancel it. Does not wait for the store.
   */
  replacedLost({ id }: Pick<TaskInfo, "id">, list: ListName): void {
    void this.#write(async () => {
      const offers = (await this.#lists.read(list)).filter((offer) => offer.id === id);
      for (const { server } of offers) {
        if (server === this.#heartbeat.server || server !== undefined && await this.#isAlive(server)) continue;
        const wasLeft = await this.#lists.remove(list, (offer) => offer.id === id && offer.server === server);
        const awaited = this.#awaited.get(id);
        if (awaited && wasLeft) awaited.isOurs = true; // A server that ends removes its marks.
      }
    });
  }

  /** Keeps `close` waiting for a call: it may have something to write after its client is gone. */
  untilClosed<T>(call: Promise<T>): Promise<T> {
    const end = () => void this.#calls.delete(over);
    const over: Promise<void> = call.then(end, end);
    this.#calls.add(over);
    return call;
  }

  /** Resolves once the calls have ended, and nothing is left to write. */
  async close(): Promise<void> {
    await Promise.all(this.#calls);
    this[Symbol.dispose]();
    while (this.#writing.size > 0) await Promise.all(this.#writing);
    await this.#heartbeat.close();
  }

  /** Stops all timers. */
  [Symbol.dispose](): void {
    this.#marks[Symbol.dispose]();
    this.#heartbeat.stop();
  }

  async #firstFree(offers: readonly Offer[], client: CallOrigin): Promise<Offer | undefined> {
    const free = offers.find(({ server }) => server === undefined);
    if (free) return free;
    const left = await Promise.all(offers.map(async ({ id, server = "" }) => {
      return server === this.#heartbeat.server ? this.#isLeftHere(id, client) : !await this.#isAlive(server);
    }));
    return offers.find((_, index) => left[index]);
  }

  /** Whether calls of this server wait for a task, and each client cannot be reached or, if it is this one, no longer waits. */
  #isLeftHere(id: string, client: CallOrigin): boolean {
    const awaited = this.#awaited.get(id);
    return awaited !== undefined && !awaited.taken && (!isReachable(awaited) || this.#isGivenUp(id, client));
  }

  /** Whether only calls of this client wait for a task in this server, each for longer than it waits for an answer. */
  #isGivenUp(id: string, { isOnlyClient, session }: CallOrigin): boolean {
    const calls = this.#awaited.get(id)?.calls;
    return calls !== undefined && calls.values().every((call) => {
      const isSame = isOnlyClient || session !== undefined && call.session === session;
      return isSame && this.now() - call.since >= SHORT_WAIT_MS;
    });
  }

  /** Takes over such a task, unless another call is doing so. The mark in the store stays: a call of this server waits. */
  #takeHere(id: string, client: CallOrigin): boolean {
    const awaited = this.#awaited.get(id);
    if (awaited === undefined || !this.#isLeftHere(id, client)) return false;
    return awaited.taken = true;
  }

  async #isAlive(server: string): Promise<boolean> {
    return !await this.#others.isDead(server);
  }

  /** Writes in the background, and tries again if that fails. Resolves with whether it has succeeded. */
  #write(act: () => Promise<void>): Promise<boolean> {
    const failed = (error: unknown) => this.#onError(error, { where: "store which tasks calls wait for" });
    const writing = tryAgain(act, () => false, failed).finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
    return writing;
  }
}

/** Whether a call waits for a task whose client can be reached. */
function isReachable({ calls }: Awaited): boolean {
  return calls.values().some(({ closedAt }) => closedAt() === undefined);
}
