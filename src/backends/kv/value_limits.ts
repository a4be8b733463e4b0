/**
 * The limits that follow from KV's 65,536 bytes per value. Questions and answers are kept in the record, beside an input of
 * up to 8,000 characters. They are refused early enough for all later changes of the task to fit.
 *
 * @module
 */
import { InvalidValue } from "../../errors.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { TaskRecord } from "../shared/record.ts";

/** The longest text of a value, in UTF-16 units: at two bytes each it fits into KV's 65,536. */
export const MAX_TEXT = 30_000;

/** The largest record of a live task, without its input, in bytes. */
const MAX_LIVE_BYTES = 40_000;

/** The longest expiry that KV takes, about 30,000 years, in ms. */
const LONGEST_MS = 1e15;

/** The most room for a list of held tasks, in bytes; in a worker's value, the rest is for the names of its jobs. */
const MAX_HELD_BYTES = 55_000;

/** What one held task takes besides the owner's name, in bytes. */
const HELD_BYTES = 50;

/** Whose a task is. */
export type Owned = Pick<TaskInfo, "owner">;

export type HeldList = readonly (readonly [owner: string, id: string])[];

/** The tasks of such a list. */
export function tasksIn(list: HeldList): Pick<TaskInfo, "id" | "owner">[] {
  return list.map(([owner, id]) => ({ id, owner }));
}

/** Returns the first tasks of `more` that fit into a list of held tasks beside those that are in it. */
export function fitting<T extends Owned>(more: readonly T[], held: readonly Owned[] = []): readonly T[] {
  const sizeOf = ({ owner }: Owned) => bytesOf(owner) + HELD_BYTES;
  let bytes = held.reduce((sum, one) => sum + sizeOf(one), 0);
  const end = more.findIndex((one) => (bytes += sizeOf(one)) > MAX_HELD_BYTES);
  return end < 0 ? more : more.slice(0, end);
}

/** Throws `InvalidValue` if a question or an answer has made the record of a live task too large. */
export function refuseTooLarge(record: TaskRecord, before: TaskRecord): void {
  const { info, answers } = record;
  if (isFinished(info)) return;
  const answered = answers !== before.answers;
  if (!answered && info.questions === ("questions" in before.info ? before.info.questions : undefined)) return;
  const bytes = bytesOf(JSON.stringify(info)) + bytesOf(JSON.stringify(answers ?? {}));
  if (bytes <= MAX_LIVE_BYTES) return;
  throw new InvalidValue(
    `Cannot store ${answered ? "the answers" : "the question"} of task ${info.id}: with that its record has ` +
      `${bytes} bytes, and ${MAX_LIVE_BYTES} is the most. Make the text shorter.`,
  );
}

/** The expiry to give to KV for what may be deleted after this time, in ms. */
export function expiryIn(ms: number): number {
  return Math.min(Math.ceil(ms), LONGEST_MS);
}

const BEYOND_LATIN_1 = /[^\0-\xff]/;

/** The size of a text in KV: one character outside Latin-1 doubles it. */
function bytesOf(text: string): number {
  return BEYOND_LATIN_1.test(text) ? 2 * text.length : text.length;
}
