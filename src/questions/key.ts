/**
 * The key of a question, which stays the same when its task runs again.
 *
 * @module
 */
import { hash } from "node:crypto";
import { remember } from "../recent.ts";
import type { Question } from "../task.ts";
import { MAX_ASKED } from "./budget.ts";

/** The digests that were needed last, by what they are made from: later runs of a task ask the same again. */
const digests = new Map<string, string>();

/** How many of them are remembered. */
const MAX_DIGESTS = 100;

/**
 * Derives the keys of one attempt's questions from what they ask, so that an answer belongs to exactly that question,
 * whatever else an attempt asks. The same question asked twice in one attempt counts as two.
 */
export class QuestionKeys {
  readonly #times = new Map<string, number>();

  next({ message, schema }: Pick<Question, "message" | "schema">): string {
    const digest = digestOf(JSON.stringify([message, schema]));
    const times = (this.#times.get(digest) ?? 0) + 1;
    this.#times.set(digest, times);
    return times === 1 ? `question-${digest}` : `question-${digest}-${times}`;
  }
}

function digestOf(text: string): string {
  const digest = digests.get(text) ?? hash("sha256", text).slice(0, 12);
  if (text.length <= MAX_ASKED) remember(digests, text, digest, MAX_DIGESTS);
  return digest;
}
