/**
 * Which of the answers that arrive can be stored.
 *
 * @module
 */
import { validate } from "../schema/schema.ts";
import { type Answer, openQuestions, type TaskInfo } from "../task.ts";
import { storableAnswer } from "./budget.ts";
import type { Answers } from "./open.ts";

export interface Sorted {
  /** Those to open questions, as they are stored. */
  readonly fitting: readonly (readonly [key: string, answer: Answer])[];
  /** The keys of the others: nobody asks that, or not any more. */
  readonly late: readonly string[];
}

/**
 * Sorts answers. Throws `InvalidInput` where one does not fit its open question, or is too long. Whether it comes in time is
 * for the store to decide, by its own clock.
 */
export async function sortAnswers(task: TaskInfo, given: Answers): Promise<Sorted> {
  const open = openQuestions(task);
  const fitting: [string, Answer][] = [];
  for (const question of open) {
    const { key, schema } = question;
    const own = Object.hasOwn(given, key) ? given[key] : undefined;
    if (own === undefined) continue;
    const answer = storableAnswer(question, own);
    if (answer.action === "accept") await validate(schema, answer.content, `answer to ${key}`);
    fitting.push([key, answer]);
  }
  return { fitting, late: Object.keys(given).filter((key) => !open.some((question) => question.key === key)) };
}
