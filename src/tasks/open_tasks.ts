/**
 * How many tasks of each owner are not finished: counted once in the store, then kept current from the events.
 *
 * @module
 */
import type { Backend, TaskEvent } from "../backend.ts";
import { isTerminal, type TaskInfo } from "../task.ts";

/** How often an owner who seems to have too many is counted again, in ms, at most. */
const RECOUNT_MS = 10_000;

/** Owners without open tasks are forgotten when there are this many owners, and then each time that the number has doubled. */
const MANY_OWNERS = 10_000;

interface Counted {
  readonly open: Set<string>;
  /** Tasks that ended during the count, which the store may still have returned as open; absent after the count. */
  ended?: Set<string>;
  readonly at: number;
  /** Resolves once the tasks are counted. */
  ready?: Promise<void>;
}

/** The open tasks of all owners who have created one through this process. */
export class OpenTasks implements Disposable {
  readonly #backend: Pick<Backend, "list" | "watch">;
  readonly #max: number;
  readonly #now: () => number;
  readonly #owners = new Map<string, Counted>();
  readonly #stop: () => void;
  #forgetAt = MANY_OWNERS;

  constructor(backend: Pick<Backend, "list" | "watch">, max: number, now: () => number) {
    this.#backend = backend;
    this.#max = max;
    this.#now = now;
    this.#stop = max === Infinity ? () => {} : backend.watch((event) => this.#receive(event));
  }

  /** Counts a task that is about to be created. If it would be one too many, resolves with `false` and does not count it. */
  async reserve(owner: string, id: string): Promise<boolean> {
    if (this.#max === Infinity) return true;
    let counted = await this.#count(owner);
    // Events of several processes arrive in any order, so the count may be too high.
    if (counted.open.size >= this.#max && Math.abs(this.#now() - counted.at) >= RECOUNT_MS) {
      // Another call may have started the new count already.
      if (this.#owners.get(owner) === counted) this.#owners.delete(owner);
      counted = await this.#count(owner);
    }
    if (counted.open.size >= this.#max && !counted.open.has(id)) return false;
    counted.open.add(id);
    return true;
  }

  /** Takes back a reservation: the task was not created. */
  release(owner: string, id: string): void {
    this.#owners.get(owner)?.open.delete(id);
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#owners.clear();
  }

  async #count(owner: string): Promise<Counted> {
    let counted = this.#owners.get(owner);
    if (counted === undefined) {
      if (this.#owners.size >= this.#forgetAt) this.#forgetIdle();
      counted = { open: new Set(), ended: new Set(), at: this.#now() };
      counted.ready = this.#read(owner, counted);
      this.#owners.set(owner, counted);
    }
    try {
      await counted.ready;
    } catch (error) {
      if (this.#owners.get(owner) === counted) this.#owners.delete(owner);
      throw error;
    }
    return counted;
  }

  async #read(owner: string, counted: Counted): Promise<void> {
    let cursor: string | undefined;
    do {
      const { tasks, nextCursor } = await this.#backend.list(owner, { cursor, limit: 500 });
      for (const { id, ...task } of tasks) {
        if (!isTerminal(task.status) && !counted.ended?.has(id)) counted.open.add(id);
      }
      cursor = nextCursor;
    } while (cursor !== undefined);
    counted.ended = undefined;
  }

  #receive(event: TaskEvent): void {
    // Missed events require a new count.
    if (event.kind === "gap") this.#owners.clear();
    else this.#update(event.task);
  }

  #update(task: TaskInfo): void {
    const counted = this.#owners.get(task.owner);
    if (counted === undefined) return;
    if (!isTerminal(task.status)) counted.open.add(task.id);
    else {
      counted.open.delete(task.id);
      counted.ended?.add(task.id);
    }
  }

  #forgetIdle(): void {
    for (const [owner, { open }] of this.#owners) if (open.size === 0) this.#owners.delete(owner);
    this.#forgetAt = Math.max(MANY_OWNERS, 2 * this.#owners.size);
  }
}
