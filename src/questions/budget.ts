/**
 * How large the questions and answers of a task may be. They are part of its record, which on Deno KV is one value of at
 * most 65,536 bytes; the same limits hold on every backend.
 *
 * @module
 */
import { InvalidInput, ToolError } from "../errors.ts";
import { wellFormed } from "../json.ts";
import type { Answer, Question } from "../task.ts";
import { quote } from "../text.ts";

/** The longest content of one answer, in characters of JSON. */
export const MAX_ANSWER = 4_000;

/**
 * The most that the open questions of a task and all its answers may have together, in characters of JSON. In KV such a
 * character takes at most 2.6 bytes, and the rest of the record up to 36,000 bytes.
 */
export const MAX_ASKED = 10_000;

/** An answer in the form in which it is stored. Throws `InvalidInput` if it is too long. */
export function storableAnswer(key: string, answer: Answer): Answer {
  if (answer.action !== "accept") return { action: answer.action };
  const content = wellFormed(answer.content);
  const text = JSON.stringify(content);
  if (text.length <= MAX_ANSWER) return { action: "accept", content: JSON.parse(text) };
  const message = `it has ${text.length} characters of JSON, and ${MAX_ANSWER} is the most`;
  throw new InvalidInput(`answer to ${key}`, [{ path: "", message }]);
}

/** Counts what the questions and answers of one attempt take in the record. Each attempt asks from the beginning. */
export class QuestionRoom {
  #taken = 0;
  #open = 0;
  #answered = Promise.withResolvers<void>();

  /**
   * Asks a question, and resolves with the answer. If the longest possible answers to the open questions would leave no
   * room, it first waits until these are answered. Rejects with `ToolError` if there would not be room even then.
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
    }: it has ${length} characters of JSON, and ${left} are left. The questions and answers of a ` +
      `task have at most ${MAX_ASKED} together, with ${MAX_ANSWER} reserved for each answer to come: ask for less.`,
  );
}

function lengthOf(value: unknown): number {
  return JSON.stringify(value).length;
}
