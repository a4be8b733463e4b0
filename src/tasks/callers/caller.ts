/**
 * One call that waits for its task.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import type { Callers } from "./callers.ts";
import type { ListName } from "./offer_lists.ts";

/** A call, from its start to its answer. */
export class Caller {
  readonly #callers: Callers;
  readonly #list: () => ListName | undefined;
  #task: TaskInfo | undefined;
  #leave: () => void = () => {};
  #found = false;

  /** `list` names the list of the call's input; `undefined` if its task is never left to others. */
  constructor(callers: Callers, list: () => ListName | undefined) {
    this.#callers = callers;
    this.#list = list;
  }

  /** The call has found the task of another start, which may have a caller of its own. */
  found(): void {
    this.#found = true;
  }

  /** The call begins to wait. */
  wait(task: TaskInfo): void {
    this.#task = task;
    this.#leave = this.#callers.wait(task, this.#list);
  }

  /** The call no longer waits. */
  leave(): void {
    this.#leave();
    this.#leave = () => {};
  }

  /** Leaves a task, which may still be on its way into the store, to the next call with the same input. */
  async abandon(begun: Promise<TaskInfo>): Promise<void> {
    const list = this.#list();
    if (list) await this.#callers.offer(begun, list);
  }

  /** Whether somebody else may want the task, too, so that it must not be cancelled together with this call. */
  async isShared(): Promise<boolean> {
    if (this.#found) return true;
    return this.#task !== undefined && await this.#callers.isShared(this.#task, this.#list());
  }
}
