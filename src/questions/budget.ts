/**
 * How much a task may ask and be answered. Questions and answers stand in its record, which on Deno KV is one value of
 * 65,536 bytes; what holds there holds for every backend.
 *
 * @module
 */
import { InvalidInput, ToolError } from "../errors.ts";
import { wellFormed } from "../json.ts";
import type { Answer, Question } from "../task.ts";
import { quote } from "../text.ts";

/** The longest content of one answer, as characters of JSON. */
export const MAX_ANSWER = 4_000;

/**
 * The most that the open questions of a task, and all answers to it, have together, as characters of JSON. In KV such a
 * character takes at most 2.6 bytes, and all else that may stand in the record up to 36,000.
 */
export const MAX_ASKED = 10_000;

/** An answer as it is stored, which is as its JSON says it. Throws `InvalidInput` if it is too long for that. */
export function storableAnswer(key: string, answer: Answer): Answer {
  if (answer.action !== "accept") return { action: answer.action };
  const content = wellFormed(answer.content);
  const text = JSON.stringify(content);
  if (text.length <= MAX_ANSWER) return { action: "accept", content: JSON.parse(text) };
  const message = `it has ${text.length} characters of JSON, and ${MAX_ANSWER} is the most`;
  throw new InvalidInput(`answer to ${key}`, [{ path: "", message }]);
}

/** What the questions of one attempt, and their answers, take of their task's record. An attempt asks all over again. */
export class QuestionRoom {
  #taken = 0;
  #open = 0;
  #answered = Promise.withResolvers<void>();

  /**
   * Asks, and resolves with the answer. Where the longest answers to what is open would leave no room, it waits for these
   * answers first. Rejects with `ToolError` where there is no room to wait for.
   */
  async ask(question: Question, ask: (question: Question) => Promise<Answer>): Promise<Answer> {
    const length = lengthOf(question);
    const needed = length + MAX_ANSWER;
    while (this.#open > 0 && needed <= MAX_ASKED && this.#taken + needed > MAX_ASKED) await this.#answered.promise;
    const left = MAX_ASKED - MAX_ANSWER - this.#taken;
    if (length > left) throw tooLong(question.message, length, Math.max(0, left));
    this.#open++;
    this.#taken += needed;
    try {
      const answer = await ask(question);
      this.#taken += lengthOf({ [question.key]: answer });
      return answer;
    } finally {
      this.#open--;
      this.#taken -= needed;
      this.#answered.resolve();
      this.#answered = Promise.withResolvers();
    }
  }
}

function tooLong(message: string, length: number, left: number): ToolError {
  return new ToolError(
    `Cannot ask ${
      quote(message)
    }: it has ${length} characters of JSON, and ${left} are left to it. The questions and answers of a ` +
      `task have at most ${MAX_ASKED} together, with ${MAX_ANSWER} kept for each answer to come: ask for less.`,
  );
}

function lengthOf(value: unknown): number {
  return JSON.stringify(value).length;
}
