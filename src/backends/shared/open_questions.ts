/**
 * The questions of one running task: stored, and awaited until the feed tells that they are answered.
 *
 * @module
 */
import { type Answer, openQuestions, type Question, type TaskInfo } from "../../task.ts";
import { unlessAborted } from "../../waiting.ts";

/** What a store does for the questions of a task. */
export interface AskingStore {
  /** Stores a question; resolves with its answer if there is one already. */
  ask(id: string, question: Question): Promise<Answer | undefined>;
  /** Reads the answer to a question, if there is one. */
  answer(id: string, key: string): Promise<Answer | undefined>;
}

/** The questions of one running task. */
export class Asking {
  readonly #store: AskingStore;
  readonly #id: string;
  readonly #signal: AbortSignal;
  readonly #waiting = new Map<string, () => void>();

  constructor(store: AskingStore, id: string, signal: AbortSignal) {
    this.#store = store;
    this.#id = id;
    this.#signal = signal;
  }

  /** Resolves with the answer; rejects with the signal's reason. */
  async ask(question: Question): Promise<Answer> {
    this.#signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const look = (answer: Answer | undefined) => answer && resolve(answer);
    // Listens before it stores: the answer may come at once.
    this.#waiting.set(question.key, () => void this.#store.answer(this.#id, question.key).then(look, reject));
    try {
      this.#store.ask(this.#id, question).then(look, reject);
      return await unlessAborted(promise, this.#signal);
    } finally {
      this.#waiting.delete(question.key);
    }
  }

  /** Hears of a change of the task, or, without one, that changes may have been missed. */
  hear(task?: TaskInfo): void {
    const open = task ? openQuestions(task) : [];
    for (const [key, look] of this.#waiting) {
      if (!open.some((question) => question.key === key)) look();
    }
  }
}
