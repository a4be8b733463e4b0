/**
 * Starts of a unique job with a key of the caller's: both keys name the task.
 *
 * The store keeps the key of `unique` with the task, and stores the task only while that key names it. The caller's key comes to
 * name the task in between, after the key of `unique` and before the task is stored. So a server that dies on its way leaves
 * keys without a task, which the next such start takes over; and one that was merely slow has lost the key of `unique` by
 * then, and stores nothing.
 *
 * @module
 */
import type { Backend, NewTask, TaskKey } from "../../backend.ts";
import { JobsError, TaskExpired, TaskNotFound } from "../../errors.ts";
import { timeOfTaskId } from "../../ids.ts";
import { type TaskInfo, TOMBSTONE_MS } from "../../task.ts";
import { holdsKey, idNamedBy, refuseOther, textNaming } from "../../contract/task_key.ts";

/** Another start has changed what the caller's key names, so this one begins again. A backend passes on errors of ours. */
class KeyMoved extends JobsError {
  constructor() {
    super("Another start has changed what the key names.");
  }
}

export class CallersKeys {
  readonly #backend: Pick<Backend, "get" | "keys">;
  readonly #now: () => number;

  /** `now` is the time, in ms since the epoch. */
  constructor(backend: Pick<Backend, "get" | "keys">, now: () => number) {
    this.#backend = backend;
    this.#now = now;
  }

  /**
   * Finds the task of the caller's key, or lets `create` store or find one under the key of `unique`, which the caller's key
   * then names, too. `create` calls `claim` before it stores the task. Rejects with `InvalidInput` if the caller's key was used
   * with another input, with nothing stored.
   */
  async create(
    { id, owner }: Pick<NewTask, "id" | "owner">,
    key: TaskKey,
    create: (claim: () => Promise<void>) => Promise<TaskInfo>,
  ): Promise<TaskInfo> {
    while (true) {
      let text = await this.#backend.keys.readKey(owner, key.name);
      const holder = text === undefined ? undefined : await this.#holder(owner, text, key);
      if (holder) return holder;
      const name = async (id: string) => {
        const before = text;
        text = textNaming(id, key);
        if (!await this.#backend.keys.writeKey(owner, key.name, before, text)) throw new KeyMoved();
      };
      const claim = async () => {
        // From here on no start can store the task that the key named before, but one may just have done so.
        if (text !== undefined && await this.#holder(owner, text, key)) throw new KeyMoved();
        await name(id);
      };
      try {
        const task = await create(claim);
        if (task.id !== id) await name(task.id);
        return task;
      } catch (error) {
        if (!(error instanceof KeyMoved)) throw error;
      }
    }
  }

  /**
   * The task that a key with this text names, if it holds the key. Where it is not stored yet, or never will be, the key
   * belongs to its input all the same.
   */
  async #holder(owner: string, text: string, key: TaskKey): Promise<TaskInfo | undefined> {
    const id = idNamedBy(text);
    try {
      const task = await this.#backend.get(id, owner);
      if (!holdsKey(task, key, this.#now())) return undefined;
      refuseOther(text, key);
      return task;
    } catch (error) {
      if (!(error instanceof TaskNotFound)) throw error;
      // A task that has expired is told from one that was never stored for so long.
      const isGone = error instanceof TaskExpired || this.#now() - timeOfTaskId(id) > TOMBSTONE_MS;
      if (!isGone) refuseOther(text, key);
    }
  }
}
