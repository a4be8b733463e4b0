/**
 * The questions of one running task: each is stored, and awaited until an event says that it is answered, or until its time
 * has passed.
 *
 * @module
 */
import type { QuestionState } from "../../../questions/open.ts";
import { type Answer, type NewQuestion, openQuestions, type TaskInfo } from "../../../task.ts";
import { LONGEST_TIMER_MS, unlessAborted } from "../../../waiting.ts";

/** What a store does for the questions of one task. */
export interface QuestionStore {
  /** Stores questions; resolves with how each of them stands then. */
  ask(questions: readonly NewQuestion[]): Promise<readonly QuestionState[]>;
  /** Reads the answer to a question, if there is one. */
  answer(key: string): Promise<Answer | undefined>;
}

/** Questions that are about to be stored together. */
interface Batch {
  readonly questions: NewQuestion[];
  readonly stored: Promise<readonly QuestionState[]>;
}

/** The questions of one running task. */
export class OpenQuestions {
  readonly #store: QuestionStore;
  readonly #signal: AbortSignal;
  readonly #waiting = new Map<string, () => void>();
  #batch: Batch | undefined;
  readonly #storing = new Set<Promise<void>>();

  constructor(store: QuestionStore, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  /** Resolves with the answer; rejects with the signal's reason. */
  async ask(question: NewQuestion): Promise<Answer> {
    this.#signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const store = () => {
      const stored: Promise<void> = this.#stored(question).then(settle, reject)
        .finally(() => this.#storing.delete(stored));
      this.#storing.add(stored);
    };
    const settle = ({ answer, expiresIn }: QuestionState = {}) => {
      if (answer) resolve(answer);
      else if (expiresIn !== undefined && this.#waiting.get(question.key) === read) {
        // Asking again lets the store expire the question, or returns how much time is left.
        timer = setTimeout(store, Math.min(Math.max(1, expiresIn), LONGEST_TIMER_MS));
      }
    };
    const read = () => void this.#store.answer(question.key).then((answer) => settle({ answer }), reject);
    // Subscribes before it stores, because the answer may come at once.
    this.#waiting.set(question.key, read);
    try {
      store();
      return await unlessAborted(promise, this.#signal);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(question.key);
    }
  }

  get awaited(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  /** Resolves once all questions that were asked are stored, or cannot be. */
  async stored(): Promise<void> {
    await Promise.all(this.#storing);
  }

  /** Reads the answers to questions that are no longer open. Without a task, changes may have been missed: reads them all. */
  recheck(task?: TaskInfo): void {
    const open = task ? openQuestions(task) : [];
    for (const [key, read] of this.#waiting) {
      if (!open.some((question) => question.key === key)) read();
    }
  }

  /** Stores a question, in one write with all that are asked at the same time, so that a person sees them together. */
  async #stored(question: NewQuestion): Promise<QuestionState | undefined> {
    const { questions, stored } = this.#batch ??= this.#newBatch();
    const index = questions.push(question) - 1;
    return (await stored)[index];
  }

  #newBatch(): Batch {
    const questions: NewQuestion[] = [];
    const store = async () => {
      await undefined; // Until then more may be added.
      this.#batch = undefined;
      return await this.#store.ask(questions);
    };
    return { questions, stored: store() };
  }
}
