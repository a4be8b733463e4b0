/**
 * The key of a question, which stays the same when its task runs again.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { remember } from "../recent.ts";
import type { Question } from "../task.ts";

/** Of how many questions the digest is remembered: a job asks each of its tasks the same, and twice if it is parked. */
const REMEMBERED = 100;

const digests = new Map<string, string>();

/**
 * Derives the keys of one attempt's questions from what they ask, so that an answer belongs to exactly that question,
 * whatever else an attempt asks. The same question asked twice in one attempt counts as two.
 */
export class QuestionKeys {
  readonly #times = new Map<string, number>();

  /** The key of the next question. */
  next({ message, schema }: Pick<Question, "message" | "schema">): string {
    const digest = digestOf(JSON.stringify([message, schema]));
    const times = (this.#times.get(digest) ?? 0) + 1;
    this.#times.set(digest, times);
    return times === 1 ? `question-${digest}` : `question-${digest}-${times}`;
  }
}

function digestOf(asked: string): string {
  const known = digests.get(asked);
  if (known !== undefined) return known;
  const digest = createHash("sha256").update(asked).digest("hex").slice(0, 12);
  remember(digests, asked, digest, REMEMBERED);
  return digest;
}
