/**
 * Checks options that users pass: their names and values. Otherwise an unknown option would be ignored silently.
 *
 * @module
 */
import { DefinitionError } from "./errors.ts";
import { isObject } from "./json.ts";
import { isOwner, MAX_OWNER_LENGTH } from "./ids.ts";
import { quote } from "./text.ts";

/** The rule of one option. */
export interface Rule {
  /** Describes valid values, to follow "it must be". */
  readonly expected: string;
  /** Whether a value is valid. */
  readonly fits: (value: unknown) => boolean;
  /** Present if the option is required. */
  readonly required?: true;
  /** The rules of options inside this one. */
  readonly inside?: { readonly [name: string]: Rule };
}

/** One rule for every option of a type. The compiler refuses a table with a missing or an extra rule. */
export type Rules<Options> = { readonly [Name in keyof Options]-?: Rule };

/**
 * Checks options by their rules; `of` names their function, such as `defineJob("report")`. An option that is `undefined`
 * counts as absent. Throws `DefinitionError`, which names the option and, for an unknown one, the most similar known one.
 */
export function checkOptions(of: string, options: unknown, rules: { readonly [name: string]: Rule }, path = ""): void {
  if (!isObject(options)) {
    const what = path === "" ? "the options" : path.slice(0, -1);
    throw new DefinitionError(`Cannot use ${shown(options)} as ${what} of ${of}: pass an object.`);
  }
  if (options instanceof Promise) {
    throw new DefinitionError(`Cannot use a Promise as the options of ${of}: await it first.`);
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(rules, name) || options[name] === undefined) continue;
    const near = nearest(name, Object.keys(rules));
    const advice = near === undefined ? `it takes ${Object.keys(rules).join(", ")}.` : `did you mean ${path}${near}?`;
    throw new DefinitionError(`Unknown option ${path}${name} of ${of}: ${advice}`);
  }
  for (const [name, { expected, fits, required, inside }] of Object.entries(rules)) {
    const value = options[name];
    if (value === undefined && !required) continue;
    if (inside && isObject(value)) {
      checkOptions(of, value, inside, `${path}${name}.`);
      continue;
    }
    if (fits(value)) continue;
    const advice = value instanceof Promise ? "await it first" : `it must be ${expected}`;
    throw new DefinitionError(`Cannot use ${shown(value)} as ${path}${name} of ${of}: ${advice}.`);
  }
}

/** Any value; another check validates it. */
export const anything: Rule = { expected: "anything", fits: () => true };

/** A text. */
export const text: Rule = { expected: "a text", fits: (value) => typeof value === "string" };

/** The name of an owner, as every backend takes it. */
export const owner: Rule = {
  expected: `a text of 1 to ${MAX_OWNER_LENGTH} characters, without half a surrogate pair`,
  fits: (value) => typeof value === "string" && isOwner(value),
};

/** A boolean. A text such as "false" would otherwise count as true. */
export const flag: Rule = { expected: "true or false", fits: (value) => typeof value === "boolean" };

export const callback: Rule = { expected: "a function", fits: (value) => typeof value === "function" };

export const texts: Rule = {
  expected: "a list of texts",
  fits: (value) => Array.isArray(value) && value.every(text.fits),
};

export const namedTexts: Rule = {
  expected: "an object whose values are texts",
  fits: (value) => isObject(value) && Object.values(value).every(text.fits),
};

/** A whole number. */
export function wholeNumber(least: number, most: number = Number.MAX_SAFE_INTEGER): Rule {
  const end = most === Number.MAX_SAFE_INTEGER ? "" : ` to ${most}`;
  return {
    expected: `a whole number from ${least}${end}`,
    fits: (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
  };
}

/** A number, or `Infinity`. */
export function numberFrom(least: number): Rule {
  return {
    expected: `a number from ${least}, or Infinity`,
    fits: (value) => typeof value === "number" && value >= least,
  };
}

/** One of these texts. */
export function oneOf(...choices: readonly string[]): Rule {
  return {
    expected: choices.map((choice) => JSON.stringify(choice)).join(" or "),
    fits: (value) => choices.some((choice) => choice === value),
  };
}

/** A value that fits one rule or the other. */
export function either(one: Rule, other: Rule): Rule {
  return {
    expected: `${one.expected} or ${other.expected}`,
    fits: (value) => one.fits(value) || other.fits(value),
    inside: one.inside ?? other.inside,
  };
}

/** An object that has this method; `expected` describes it. */
export function having(method: string, expected: string): Rule {
  return {
    expected,
    fits: (value) => typeof value === "object" && value !== null && typeof Reflect.get(value, method) === "function",
  };
}

export function nested(inside: { readonly [name: string]: Rule }): Rule {
  return { expected: "an object", fits: isObject, inside };
}

export function required(rule: Rule): Rule {
  return { ...rule, required: true };
}

/** A value as error messages show it: a text in quotes, so that nobody reads it as a number. */
export function shown(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return "a list";
  return value instanceof Promise ? "a Promise" : "an object";
}

/** The known name that an unknown one may stand for: a name of which it is the beginning, or else the most similar one. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const begun = name.length < 3 ? undefined : known.find((one) => one.toLowerCase().startsWith(name.toLowerCase()));
  if (begun !== undefined) return begun;
  const [best] = known
    .map((option) => ({ option, changes: distance(name.toLowerCase(), option.toLowerCase()) }))
    .filter(({ option, changes }) => changes <= Math.ceil(Math.min(name.length, option.length) / 3))
    .sort((one, other) => one.changes - other.changes);
  return best?.option;
}

/** How many letters to insert, delete or replace to turn one word into the other (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [line, letter] of [...from].entries()) {
    const next = [line + 1];
    for (const [column, other] of [...to].entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
