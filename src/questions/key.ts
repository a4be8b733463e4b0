/**
 * What a question is known by while its task runs, and runs again.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Question } from "../task.ts";

/**
 * Names the questions of one attempt by what they ask: so an answer belongs to the words that it was given to, whatever
 * an attempt asks besides. The same question asked again in one attempt is another one.
 */
export class QuestionKeys {
  readonly #times = new Map<string, number>();

  /** The key of the next question. */
  next({ message, schema }: Pick<Question, "message" | "schema">): string {
    const digest = createHash("sha256").update(JSON.stringify([message, schema])).digest("hex").slice(0, 12);
    const times = (this.#times.get(digest) ?? 0) + 1;
    this.#times.set(digest, times);
    return times === 1 ? `question-${digest}` : `question-${digest}-${times}`;
  }
}
