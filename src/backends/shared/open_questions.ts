/**
 * The questions of one running task: each is stored, and awaited until an event says that it is answered.
 *
 * @module
 */
import { type Answer, openQuestions, type Question, type TaskInfo } from "../../task.ts";
import { unlessAborted } from "../../waiting.ts";

/** What a store does for the questions of a task. */
export interface QuestionStore {
  /** Stores a question; resolves with its answer if there is one already. */
  ask(id: string, question: Question): Promise<Answer | undefined>;
  /** Reads the answer to a question, if there is one. */
  answer(id: string, key: string): Promise<Answer | undefined>;
}

/** The questions of one running task. */
export class OpenQuestions {
  readonly #store: QuestionStore;
  readonly #id: string;
  readonly #signal: AbortSignal;
  readonly #waiting = new Map<string, () => void>();

  constructor(store: QuestionStore, id: string, signal: AbortSignal) {
    this.#store = store;
    this.#id = id;
    this.#signal = signal;
  }

  /** Resolves with the answer; rejects with the signal's reason. */
  async ask(question: Question): Promise<Answer> {
    this.#signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const settle = (answer: Answer | undefined) => answer && resolve(answer);
    // Subscribes before it stores, because the answer may come at once.
    this.#waiting.set(question.key, () => void this.#store.answer(this.#id, question.key).then(settle, reject));
    try {
      this.#store.ask(this.#id, question).then(settle, reject);
      return await unlessAborted(promise, this.#signal);
    } finally {
      this.#waiting.delete(question.key);
    }
  }

  /** Reads the answers to questions that are no longer open. Without a task, changes may have been missed: reads them all. */
  recheck(task?: TaskInfo): void {
    const open = task ? openQuestions(task) : [];
    for (const [key, read] of this.#waiting) {
      if (!open.some((question) => question.key === key)) read();
    }
  }
}
