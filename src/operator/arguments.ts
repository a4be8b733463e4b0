/**
 * Checks an operator's arguments: a script may have read them from anywhere, and stores would treat an impossible name
 * differently.
 *
 * @module
 */
import { InvalidInput } from "../errors.ts";
import { checkOptions, flag, numberFrom, required, type Rule, text } from "../options.ts";

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
const JOB = { job: required(NAME) };
const SCHEDULE = { name: required(NAME) };

/** The arguments of each method. A text that is no task id is simply not found later. */
const ARGUMENTS = {
  get: ID,
  input: ID,
  steps: ID,
  cancel: { ...ID, wait: numberFrom(0) },
  retry: { ...ID, key: KEY },
  pause: JOB,
  resume: JOB,
  pauseSchedule: { ...SCHEDULE, paused: required(flag) },
  removeSchedule: SCHEDULE,
};

/** Throws `DefinitionError` unless a method can take these arguments. */
export function checkArguments(method: keyof typeof ARGUMENTS, given: { readonly [name: string]: unknown }): void {
  checkOptions(method, given, ARGUMENTS[method]);
}

/** Throws `InvalidInput` if the key of a retry is too long. */
export function refuseLongKey(key: string | undefined): void {
  if (key === undefined || key.length <= LONGEST_KEY) return;
  throw new InvalidInput("key", [{ path: "", message: `it has more than ${LONGEST_KEY} characters` }]);
}
