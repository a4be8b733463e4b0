/**
 * Which questions of a task are open, and which are answered: the first answer to a question counts, and one that comes
 * too late is ignored.
 *
 * @module
 */
import type { Answer, NewQuestion, Question } from "../task.ts";

/** Answers by the keys of their questions. */
export interface Answers {
  readonly [key: string]: Answer;
}

/** The questions of a task. */
export interface Asked {
  /** Those that are open. */
  readonly questions: readonly Question[];
  /** The answers so far. */
  readonly answers: Answers;
}

/** The state of a question. */
export interface QuestionState {
  /** Its answer, if there is one. */
  readonly answer?: Answer;
  /** In how many ms it expires by the store's clock, if it does. */
  readonly expiresIn?: number;
}

export function questionStateOf({ questions, answers }: Asked, key: string, now: number): QuestionState {
  if (Object.hasOwn(answers, key)) return { answer: answers[key] };
  const expiresAt = questions.find((question) => question.key === key)?.expiresAt;
  return expiresAt === undefined ? {} : { expiresIn: expiresAt - now };
}

/** The keys of the answers in `given` that count: their questions are open, and their time has not passed. */
export function countedOf({ questions }: Pick<Asked, "questions">, given: Answers, now: number): readonly string[] {
  const open = questions.filter(({ expiresAt = Infinity }) => expiresAt > now);
  return open.flatMap(({ key }) => Object.hasOwn(given, key) ? [key] : []);
}

/** The keys of the questions that have expired. */
export function expiredOf({ answers }: Pick<Asked, "answers">): readonly string[] {
  return Object.entries(answers).flatMap(([key, { action }]) => action === "expired" ? [key] : []);
}

/** Answers the open questions that `given` has an answer for, and those whose time has passed. The same object if there is none. */
export function withAnswers(asked: Asked, given: Answers, now: number): Asked {
  const taken = asked.questions.flatMap(({ key, expiresAt = Infinity }): [string, Answer][] => {
    if (expiresAt <= now) return [[key, { action: "expired" }]];
    const answer = Object.hasOwn(given, key) ? given[key] : undefined;
    return answer === undefined ? [] : [[key, answer]];
  });
  if (taken.length === 0) return asked;
  const added = Object.fromEntries(taken);
  return {
    questions: asked.questions.filter(({ key }) => !Object.hasOwn(added, key)),
    answers: { ...asked.answers, ...added },
  };
}

/** Opens questions, except those that are open or answered already. The same object if that changes nothing. */
export function withQuestions(before: Asked, questions: readonly NewQuestion[], now: number): Asked {
  const asked = withAnswers(before, {}, now);
  const isNew = ({ key }: NewQuestion) =>
    !Object.hasOwn(asked.answers, key) && !asked.questions.some((open) => open.key === key);
  const opened = questions.filter(isNew).map(({ expiresIn, ...question }): Question =>
    expiresIn === undefined ? question : { ...question, expiresAt: now + expiresIn }
  );
  return opened.length === 0 ? asked : { ...asked, questions: [...asked.questions, ...opened] };
}
