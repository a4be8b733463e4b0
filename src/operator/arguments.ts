/**
 * Checks an operator's arguments: a script may have read them from anywhere, and stores would treat an impossible name
 * differently.
 *
 * @module
 */
import { InvalidInput } from "../errors.ts";
import { checkOptions, flag, numberFrom, required, type Rule, text } from "../options.ts";

/** The longest name of a job or a schedule. */
const LONGEST_NAME = 100;

/** The longest key of a retry: it is part of the key of the new task. */
const LONGEST_KEY = 150;

/** The name of a job or a schedule. Another program may have queued a job whose name ours could not have. */
export const NAME: Rule = {
  expected: `a text of 1 to ${LONGEST_NAME} characters, none of them a control character`,
  fits: (value) => typeof value === "string" && value.length <= LONGEST_NAME && /^\P{Cc}+$/u.test(value),
};

const KEY: Rule = {
  expected: "a text without control characters",
  fits: (value) => typeof value === "string" && /^\P{Cc}*$/u.test(value),
};

const ID = { id: required(text) };

/** Throws `DefinitionError` unless it is a text. A text that is no task id is simply not found later. */
export function checkId(of: string, id: unknown): void {
  checkOptions(of, { id }, ID);
}

/** Throws `DefinitionError` unless both can be passed to `cancel`. */
export function checkCancel(id: unknown, wait: unknown): void {
  checkOptions("cancel", { id, wait }, { ...ID, wait: numberFrom(0) });
}

/** Throws `DefinitionError` unless both can be passed to `retry`, and `InvalidInput` if the key is too long. */
export function checkRetry(id: unknown, key: unknown): void {
  checkOptions("retry", { id, key }, { ...ID, key: KEY });
  if (typeof key === "string" && key.length > LONGEST_KEY) {
    throw new InvalidInput("key", [{ path: "", message: `it has more than ${LONGEST_KEY} characters` }]);
  }
}

/** Throws `DefinitionError` unless it can name a job. */
export function checkJob(of: string, job: unknown): void {
  checkOptions(of, { job }, { job: required(NAME) });
}

/** Throws `DefinitionError` unless it can name a schedule. */
export function checkSchedule(of: string, name: unknown): void {
  checkOptions(of, { name }, { name: required(NAME) });
}

/** Throws `DefinitionError` unless it is a boolean. */
export function checkPaused(of: string, paused: unknown): void {
  checkOptions(of, { paused }, { paused: required(flag) });
}
