/**
 * The questions that stand in front of a person, and are to go once nobody needs their answers any more.
 *
 * @module
 */
import { openQuestions, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";

/** What was put of one task: how to take each question back, by its key. */
interface Put {
  readonly questions: Map<string, () => void>;
  readonly stop: () => void;
}

/** The questions that were put on one connection. A task is followed as long as one of its own is open. */
export class PutQuestions {
  readonly #tasks: Tasks;
  readonly #put = new Map<string, Put>();

  constructor(tasks: Tasks) {
    this.#tasks = tasks;
  }

  /** A question was put. `takeBack` is called once it is open no more, unless it was settled here. */
  add(task: TaskInfo, key: string, takeBack: () => void): void {
    const put = this.#put.get(task.id) ?? { questions: new Map(), stop: this.#follow(task) };
    this.#put.set(task.id, put);
    put.questions.set(key, takeBack);
  }

  /** A question is not to be taken back: it is answered here, or forgotten. */
  settle(taskId: string, key: string): void {
    const put = this.#put.get(taskId);
    put?.questions.delete(key);
    if (put?.questions.size !== 0) return;
    put.stop();
    this.#put.delete(taskId);
  }

  /** Takes back what a task has asked, but for what it still asks. */
  takeBack(taskId: string, open: readonly string[] = []): void {
    for (const [key, takeBack] of [...this.#put.get(taskId)?.questions ?? []]) {
      if (open.includes(key)) continue;
      this.settle(taskId, key);
      takeBack();
    }
  }

  /** Follows no task any more. */
  close(): void {
    for (const { stop } of this.#put.values()) stop();
    this.#put.clear();
  }

  /** A task that waits for another worker does not run, but its questions stay open: they stand in its record. */
  #follow(task: TaskInfo): () => void {
    return this.#tasks.follow(
      task,
      (now) => this.takeBack(now.id, openQuestions(now).map(({ key }) => key)),
    );
  }
}
