/**
 * The questions that a person sees now, and that are withdrawn once nobody needs their answers.
 *
 * @module
 */
import { openQuestions, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";

/** The open questions of one task: how to withdraw each, by its key, and how to stop following the task. */
interface OpenQuestions {
  readonly withdrawals: Map<string, () => void>;
  readonly unfollow: () => void;
}

/** The open questions of one connection, by the ids of their tasks. A task is followed while a question of it is open. */
export class OpenElicitations {
  readonly #tasks: Tasks;
  readonly #open = new Map<string, OpenQuestions>();

  constructor(tasks: Tasks) {
    this.#tasks = tasks;
  }

  /** Adds a question. `withdraw` is called once the task no longer asks it, unless it is removed before. */
  add(task: TaskInfo, key: string, withdraw: () => void): void {
    const open = this.#open.get(task.id) ?? { withdrawals: new Map(), unfollow: this.#follow(task) };
    this.#open.set(task.id, open);
    open.withdrawals.set(key, withdraw);
  }

  /** Removes a question without withdrawing it: it is answered here, or forgotten. */
  remove(taskId: string, key: string): void {
    const open = this.#open.get(taskId);
    open?.withdrawals.delete(key);
    if (open?.withdrawals.size !== 0) return;
    open.unfollow();
    this.#open.delete(taskId);
  }

  /** Withdraws the questions of a task, except those with a key of `stillOpen`. */
  withdraw(taskId: string, stillOpen: readonly string[] = []): void {
    for (const [key, withdraw] of [...this.#open.get(taskId)?.withdrawals ?? []]) {
      if (stillOpen.includes(key)) continue;
      this.remove(taskId, key);
      withdraw();
    }
  }

  close(): void {
    for (const { unfollow } of this.#open.values()) unfollow();
    this.#open.clear();
  }

  /** A task that waits for another worker is not running, but its questions stay open: they stand in its record. */
  #follow(task: TaskInfo): () => void {
    return this.#tasks.follow(task, (now) => this.withdraw(now.id, openQuestions(now).map(({ key }) => key)));
  }
}
