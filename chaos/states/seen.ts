/** What the feed of the store tells of one task. */
import { type Backend, isFinished, type TaskInfo } from "../../mod.ts";
import { type FinishedTask, openQuestions } from "../../src/task.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";

/** Watches a task until it is disposed. */
export class Seen implements Disposable {
  /** Resolves with its end. */
  readonly end: Promise<FinishedTask>;
  readonly #feed: TaskFeed;
  readonly #tasks: TaskInfo[] = [];
  /** When each of them arrived here, in ms since the epoch: their own times are of the store's clock, as each process knows it. */
  readonly #arrived: number[] = [];
  #changed = Promise.withResolvers<void>();

  constructor(backend: Backend, id: string, owner: string) {
    this.#feed = new TaskFeed(backend);
    const add = (task: TaskInfo) => {
      this.#tasks.push(task);
      this.#arrived.push(Date.now());
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    };
    this.end = this.#feed.wait(id, owner, new AbortController().signal, add);
    this.#feed.watch({ id, owner }, (task) => isFinished(task) && add(task));
    this.end.catch(() => {});
  }

  /** Resolves once the task is, or was, like this. */
  async until(holds: (task: TaskInfo) => boolean): Promise<void> {
    while (!this.#tasks.some(holds)) await this.#changed.promise;
  }

  /** What was not as it should be. `asked` says when clients were asked its question. */
  problems(asked: readonly { readonly at: number }[]): readonly string[] {
    const problems: string[] = [];
    const keys = new Set(this.#tasks.flatMap((task) => openQuestions(task).map(({ key }) => key)));
    if (keys.size > 1) problems.push(`it asked ${keys.size} questions: ${this}`);
    const firstAsks = this.#tasks.findIndex((task) => openQuestions(task).length > 0);
    const answered = this.#tasks.findIndex((task, at) => at > firstAsks && openQuestions(task).length === 0);
    const isAnswered = firstAsks >= 0 && answered >= 0;
    const later = isAnswered ? this.#tasks.slice(answered) : [];
    const answeredAt = isAnswered ? this.#arrived[answered] ?? Infinity : Infinity;
    if (later.some((task) => openQuestions(task).length > 0)) problems.push(`an answer was lost: ${this}`);
    if (asked.some(({ at }) => at > answeredAt)) problems.push(`a question that was answered was asked again: ${this}`);
    if (this.#tasks.filter(isFinished).length > 1) problems.push(`it has ended twice: ${this}`);
    return problems;
  }

  toString(): string {
    return JSON.stringify(this.#tasks);
  }

  [Symbol.dispose](): void {
    this.#feed[Symbol.dispose]();
  }
}
