/**
 * The key of a question, which stays the same when its task runs again.
 *
 * @module
 */
import { hash } from "node:crypto";
import type { Question } from "../task.ts";

/**
 * Derives the keys of one attempt's questions from what they ask, so that an answer belongs to exactly that question,
 * whatever else an attempt asks. The same question asked twice in one attempt counts as two.
 */
export class QuestionKeys {
  readonly #times = new Map<string, number>();

  /** The key of the next question. */
  next({ message, schema }: Pick<Question, "message" | "schema">): string {
    const digest = hash("sha256", JSON.stringify([message, schema])).slice(0, 12);
    const times = (this.#times.get(digest) ?? 0) + 1;
    this.#times.set(digest, times);
    return times === 1 ? `question-${digest}` : `question-${digest}-${times}`;
  }
}
