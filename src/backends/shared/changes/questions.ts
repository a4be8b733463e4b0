/**
 * What questions and answers make of a task.
 *
 * @module
 */
import { type Answers, type Asked, countedOf, expiredOf, withAnswers, withQuestions } from "../../../questions/open.ts";
import { type LiveTask, type NewQuestion, openQuestions } from "../../../task.ts";
import { live, next, type TaskRecord } from "./task_record.ts";

/**
 * The job asks something. A question that an earlier attempt has asked stays open or answered. Returns the same record if
 * the task need not wait for any of them and none has expired.
 */
export function asked(record: TaskRecord, questions: readonly NewQuestion[], now: number): TaskRecord {
  const { status } = live(record);
  const before = askedOf(record);
  const after = withQuestions(before, questions, now);
  const waits = questions.some(({ key }) => after.questions.some((open) => open.key === key));
  if (after === before && (!waits || status === "INPUT_REQUIRED")) return record;
  return withAsked(record, after, now, waits ? "INPUT_REQUIRED" : status);
}

/**
 * Answers have come, or the time of a question has passed. The task continues once no question is open; a parked one is then
 * ready.
 */
export function answered(record: TaskRecord, answers: Answers, now: number): TaskRecord {
  const { status } = live(record);
  const before = askedOf(record);
  const after = withAnswers(before, answers, now);
  return after === before ? record : withAsked(record, after, now, status);
}

/** The keys of the answers that count. */
export function counted(record: TaskRecord, answers: Answers, now: number): readonly string[] {
  return countedOf(askedOf(record), answers, now);
}

export function askedOf({ info, answers = {} }: TaskRecord): Asked {
  return { questions: openQuestions(info), answers };
}

function withAsked(record: TaskRecord, asked: Asked, now: number, wanted: LiveTask["status"]): TaskRecord {
  const { questions: _, parked, dueAt, ...info } = live(record);
  const { questions, answers } = asked;
  const goesOn = wanted === "INPUT_REQUIRED" && questions.length === 0;
  const status = goesOn ? (parked ? "PENDING" : "RUNNING") : wanted;
  const waits = goesOn ? {} : { ...(parked && { parked }), ...(dueAt !== undefined && { dueAt }) };
  const open = questions.length > 0 && { questions };
  return { ...record, answers, info: next({ ...info, ...waits, ...open, ...withExpired(asked) }, now, { status }) };
}

/** The task with each question expired whose time has passed: part of a change. */
export function withoutOverdue(record: TaskRecord, now: number): TaskRecord {
  const before = askedOf(record);
  const after = withAnswers(before, {}, now);
  if (after === before) return record;
  const { questions: _, ...info } = live(record);
  const open = after.questions.length > 0 && { questions: after.questions };
  return { ...record, answers: after.answers, info: { ...info, ...open, ...withExpired(after) } };
}

/** What a task says of questions that nobody answered in time. */
function withExpired(asked: Pick<Asked, "answers">): Pick<LiveTask, "expiredQuestions"> {
  const expired = expiredOf(asked);
  return expired.length === 0 ? {} : { expiredQuestions: expired };
}
