/**
 * How large the questions and answers of a task may be. They are part of its record, which on Deno KV is one value of at
 * most 65,536 bytes; the same limits hold on every backend.
 *
 * @module
 */
import { InvalidInput, ToolError } from "../errors.ts";
import { wellFormed } from "../json.ts";
import type { Answer, NewQuestion, Question } from "../task.ts";
import { quote } from "../text.ts";

/** The longest content of one answer, in characters of JSON. */
export const MAX_ANSWER = 4_000;

/**
 * The most that the open questions of a task and all its answers may have together, in characters of JSON. In KV such a
 * character takes at most 2.6 bytes, and the rest of the record up to 36,000 bytes.
 */
export const MAX_ASKED = 10_000;

/** The least room for each answer, in characters of JSON, when questions share it. */
const LEAST_SHARE = 500;

/** An answer in the form in which it is stored: to agree to open a page has no content. Throws `InvalidInput` if it is too long. */
export function storableAnswer({ key, url, maxAnswer = MAX_ANSWER }: Question, answer: Answer): Answer {
  if (answer.action !== "accept") return { action: answer.action };
  const content = url === undefined ? wellFormed(answer.content) : {};
  const text = JSON.stringify(content);
  if (text.length <= maxAnswer) return { action: "accept", content: JSON.parse(text) };
  const message = `it has ${text.length} characters of JSON, and ${maxAnswer} is the most`;
  throw new InvalidInput(`answer to ${key}`, [{ path: "", message }]);
}

/** Counts what the questions and answers of one attempt take in the record. Each attempt asks from the beginning. */
export class QuestionBudget {
  #taken = 0;
  #open = 0;
  #answered = Promise.withResolvers<void>();

  /** Counts an answer that an earlier attempt has received. */
  add(key: string, answer: Answer): void {
    this.#taken += lengthOf({ [key]: answer });
  }

  /**
   * How long the answer to each of these questions may be, in characters of JSON, so that all have room at once. If that
   * would be too short, the questions wait for each other, and each answer may be as long as that to a single question.
   */
  share(questions: readonly NewQuestion[]): number {
    const asked = questions.map((question) => lengthOf({ ...question, maxAnswer: MAX_ANSWER }));
    const left = MAX_ASKED - this.#taken - asked.reduce((sum, length) => sum + length, 0);
    const share = Math.floor(left / questions.length);
    return share < LEAST_SHARE ? MAX_ANSWER : Math.min(share, MAX_ANSWER);
  }

  /**
   * Asks a question, and resolves with the answer. If the longest possible answers to the open questions would leave no
   * room, it first waits until they are answered. Rejects with `ToolError` if that would not make enough room.
   */
  async ask(question: NewQuestion, ask: (question: NewQuestion) => Promise<Answer>): Promise<Answer> {
    const { maxAnswer = MAX_ANSWER } = question;
    const length = lengthOf(question);
    const needed = length + maxAnswer;
    while (this.#open > 0 && needed <= MAX_ASKED && this.#taken + needed > MAX_ASKED) await this.#answered.promise;
    const left = MAX_ASKED - maxAnswer - this.#taken;
    if (length > left) throw tooLong(question.message, length, Math.max(0, left), maxAnswer);
    this.#open++;
    this.#taken += needed;
    try {
      const answer = await ask(question);
      this.add(question.key, answer);
      return answer;
    } finally {
      this.#open--;
      this.#taken -= needed;
      this.#answered.resolve();
      this.#answered = Promise.withResolvers();
    }
  }
}

function tooLong(message: string, length: number, left: number, maxAnswer: number): ToolError {
  return new ToolError(
    `Cannot ask ${quote(message)}: it has ${length} characters of JSON, and ${left} are left. The questions and ` +
      `answers of a task have at most ${MAX_ASKED} together, with ${maxAnswer} reserved for the answer to this one: ` +
      "ask for less.",
  );
}

function lengthOf(value: unknown): number {
  return JSON.stringify(value).length;
}
