/**
 * Room in a KV value, which holds 65,536 bytes. What a job asks and a client answers stands in the record, beside an
 * input of up to 8,000 characters; so much is refused of it that all fits which may still become of the task.
 *
 * @module
 */
import { InvalidValue } from "../../errors.ts";
import { isFinished } from "../../task.ts";
import type { TaskRecord } from "../shared/record.ts";

/** The most that is taken by what is known of a live task beside its input, in bytes. */
const MAX_LIVE_BYTES = 40_000;

/** The longest time for which a result is kept, in ms: KV takes no time that is much longer. About 30,000 years. */
const LONGEST_MS = 1e15;

/** The most that the tasks which a worker may hold take of its key, in bytes; the rest is for the names of its jobs. */
const MAX_HELD_BYTES = 55_000;

/** How long an owner and an id are in KV, at most, without the characters of the owner's name, in bytes. */
const HELD_BYTES = 50;

/** Those of `more`, from the first on, that a worker's key can name beside those that are held. */
export function fitting<T>(
  more: readonly T[],
  held: readonly { readonly owner: string }[],
  ownerOf: (one: T) => string,
): readonly T[] {
  const sizeOf = (owner: string) => bytesOf(owner) + HELD_BYTES;
  let bytes = held.reduce((sum, { owner }) => sum + sizeOf(owner), 0);
  const end = more.findIndex((one) => (bytes += sizeOf(ownerOf(one))) > MAX_HELD_BYTES);
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
    `Cannot store ${
      answered ? "the answers" : "the question"
    } of task ${info.id}: with that its record has ${bytes} bytes, ` +
      `and ${MAX_LIVE_BYTES} is the most. Make the text shorter.`,
  );
}

/** How long KV is to keep what is no longer needed after this time, in ms. */
export function expiryIn(ms: number): number {
  return Math.min(Math.ceil(ms), LONGEST_MS);
}

/** How large a text is in KV, at most: one character that is not of Latin-1 doubles it. */
function bytesOf(text: string): number {
  return /[^\0-\xff]/.test(text) ? 2 * text.length : text.length;
}
