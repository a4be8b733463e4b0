/**
 * What the text of a task's key says, and whether the task still holds it: pure functions.
 *
 * @module
 */
import type { TaskKey } from "../backend.ts";
import { InvalidInput } from "../errors.ts";
import { isFinished, type TaskInfo } from "../task.ts";

/** The length of a task id: a key's value begins with one. */
export const ID_LENGTH = 36;

/** The text of a key that names a task. */
export function textNaming(id: string, { fingerprint = "" }: TaskKey): string {
  return id + fingerprint;
}

/** The id of the task that a key with this text names. */
export function idNamedBy(text: string): string {
  return text.slice(0, ID_LENGTH);
}

/** Where the version of a task id stands: "7". */
const VERSION_AT = 14;

/**
 * The text of a key whose task can be stored no more: the id that it names has the version 0, so no task has it. Its time is
 * that of the task's id.
 */
export function closed(text: string): string {
  return withVersion(text, "0");
}

/** The text of a key before it was closed. */
export function reopened(text: string): string {
  return withVersion(text, "7");
}

function withVersion(text: string, version: string): string {
  return text.slice(0, VERSION_AT) + version + text.slice(VERSION_AT + 1);
}

/** Throws `InvalidInput` if a start with another fingerprint has made this text. */
export function refuseOther(text: string, { fingerprint = "" }: TaskKey): void {
  if (text.slice(ID_LENGTH) === fingerprint) return;
  const message = "it was used before with another input; repeat that input, or use another key";
  throw new InvalidInput("idempotency key", [{ path: "", message }]);
}

/** Whether a task still holds its key. */
export function holdsKey(task: TaskInfo, { window, heldByAll }: TaskKey, now: number): boolean {
  if (!isFinished(task)) return heldByAll ?? !task.stopRequested;
  return (heldByAll ?? task.status === "COMPLETED") && task.finishedAt + Math.min(window, task.resultTtl) > now;
}
