/**
 * One call that waits for its task.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import type { Callers, Wait } from "./callers.ts";
import type { CallOrigin, OfferOptions } from "./offers.ts";
import { SHORT_WAIT_MS } from "./patience.ts";
import { identityOfList, type ListName, listOfIdentity } from "./offer_lists.ts";

/** A call, from its start to its answer. */
export class Caller {
  /** Counts the calls of this server: a call waits only for those with a lower number. */
  readonly number: number;
  /** Where it comes from. */
  readonly origin: CallOrigin;
  readonly #callers: Callers;
  readonly #since: number;
  #list: () => ListName | undefined;
  #wait: Wait | undefined;
  #found = false;

  /** `list` names the list of the call's input; `undefined` if its task is never left to others. */
  constructor(callers: Callers, list: () => ListName | undefined, origin: CallOrigin = {}) {
    this.#callers = callers;
    this.origin = origin;
    this.number = callers.nextNumber();
    this.#since = callers.now();
    this.#list = list;
  }

  /** The list is known: the input need not be kept for it. */
  setList({ owner, key }: { readonly owner: string; readonly key: string }): void {
    const list = { owner, key };
    this.#list = () => list;
  }

  /** The call follows one that has, or seems to have, given up after so many ms, if that is known. */
  follows(task: TaskInfo, givenUpAfter: number | undefined): void {
    if (givenUpAfter !== undefined) this.#callers.patience.gaveUp(task, givenUpAfter);
  }

  /** The call has found the task of another start, which may have a caller of its own. */
  found(): void {
    this.#found = true;
  }

  /** The call begins to wait. `closedAt`: when its client has closed the stream of the call, in ms since the epoch. */
  wait(task: TaskInfo, closedAt?: () => number | undefined): void {
    this.#wait = this.#callers.wait(task, this.#list, this.#found, closedAt, this.origin.session);
  }

  /** What calls with the same input have in common; `undefined` if the task is never left to others. */
  get identity(): string | undefined {
    const list = this.#list();
    return list && identityOfList(list);
  }

  /** The call was answered in place of one that was lost with its server, and has this identity. */
  replacedLost(task: TaskInfo, identity: string): void {
    this.#callers.replacedLost(task, listOfIdentity(task.job, identity, task.owner));
  }

  /** The call no longer waits. `answered`: it has its answer, such as the task itself or its handle. */
  leave(answered: boolean): void {
    if (this.#wait) this.#callers.leave(this.#wait, answered);
  }

  /** Leaves a task, which may still be on its way into the store, to the next call with the same input; for `ms`, if given. */
  async abandon(begun: Promise<TaskInfo>, ms?: number): Promise<void> {
    await this.#offer(begun, { ms });
  }

  /**
   * Its client waits no longer: leaves the task to the next call, which learns how long the client could wait. Unless the client
   * `saysSo`, a call that ends sooner than any client gives up was stopped by a person, or its connection was lost.
   */
  async giveUp(begun: Promise<TaskInfo>, saysSo: boolean): Promise<void> {
    const givenUpAfter = saysSo || this.#waited >= SHORT_WAIT_MS ? this.#waited : undefined;
    const learn = (task: TaskInfo) => this.follows(task, givenUpAfter);
    // A call with a key of its own finds the task without an offer. This one gets the error of a start that fails.
    await Promise.all([this.#offer(begun, { givenUpAfter }), begun.then(learn, () => {})]);
  }

  /**
   * Its client waits no longer for the status of a task whose id it has. If it has waited for less than any client does, a
   * person has stopped it, or the connection was lost.
   */
  giveUpStatus(task: TaskInfo): void {
    if (this.#waited >= SHORT_WAIT_MS) this.#callers.patience.gaveUp(task, this.#waited);
  }

  /** Leaves without an answer. Resolves with whether others may still want the task: then it must not be cancelled. */
  async leaveToOthers(): Promise<boolean> {
    this.leave(false);
    return this.#wait !== undefined && await this.#callers.isShared(this.#wait);
  }

  /** For how long, in ms. The clock may have been set back. */
  get #waited(): number {
    return Math.max(0, this.#callers.now() - this.#since);
  }

  async #offer(begun: Promise<TaskInfo>, options: Omit<OfferOptions, "number">): Promise<void> {
    const list = this.#list();
    if (list) await this.#callers.offer(begun, list, { ...options, number: this.number });
  }
}
