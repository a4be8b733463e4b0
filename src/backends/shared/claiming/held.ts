/**
 * The claims that one worker holds. There is one for each claim and not for each task: a worker may claim a task again before
 * it learns how its earlier claim has ended.
 *
 * @module
 */
import type { TaskInfo } from "../../../task.ts";
import type { TaskRecord } from "../record.ts";
import type { ClaimName } from "../running/runner_store.ts";
import type { Entry } from "../store/store.ts";

/** A claim, with its task as the worker last saw it. */
export interface Held {
  entry: Entry;
}

export class HeldClaims {
  readonly #worker: string;
  readonly #last = new Map<string, Held>();

  constructor(worker: string) {
    this.#worker = worker;
  }

  get tasks(): readonly TaskInfo[] {
    return [...this.#last.values()].map(({ entry }) => entry.record.info);
  }

  has(id: string): boolean {
    return this.#last.has(id);
  }

  /** Adds a claim. An earlier one of the same task is over. */
  add(entry: Entry): void {
    this.#last.set(entry.record.info.id, { entry });
  }

  /** The claim of this name, unless it is known to be over. */
  find({ id, revision }: ClaimName): Held | undefined {
    const held = this.#last.get(id);
    return held?.entry.record.since === revision ? held : undefined;
  }

  /** Whether a task, as it was read now, is still held by a claim. */
  isBy({ entry }: Held, { holder, since }: TaskRecord): boolean {
    return holder === this.#worker && since === entry.record.since;
  }

  /** Forgets a claim. Returns whether it was the last one of its task. */
  drop(held: Held): boolean {
    const { id } = held.entry.record.info;
    return this.#last.get(id) === held && this.#last.delete(id);
  }
}
