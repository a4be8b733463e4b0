/**
 * Keeps patterns from stopping the process: a pattern for which a short text takes long is refused when it is defined, and the
 * texts that are matched against other slow patterns are limited.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { Mistake } from "./json_schema.ts";
import type { Json } from "../task.ts";
import { quote } from "../text.ts";
import { patternsOf, textsUnder } from "./texts.ts";

/** Returns what is wrong with a value; `undefined` if it may be validated. */
export type PatternGuard = (value: unknown) => Mistake | undefined;

/** The longest text that is matched against a slow pattern, in characters. */
const MAX_CHARACTERS = 2_000;

/**
 * The most steps that such texts of one value may cost together. A text of n characters costs n², or another power of n that
 * the pattern has.
 */
const MAX_STEPS = 100_000_000;

/** The highest power of a pattern, with which a text may have 21 characters. */
const MAX_POWER = 6;

const guards = new WeakMap<object, Promise<PatternGuard>>();

/**
 * The guard of a schema, made once for each `key`; `json` returns the schema as JSON Schema. Rejects with
 * `DefinitionError`, which names the pattern, if one can take so long that a short text could stop the process.
 */
export function patternGuardOf(key: object, json: () => Json | undefined, what: string): Promise<PatternGuard> {
  let guard = guards.get(key);
  if (guard === undefined) guards.set(key, guard = makeGuard(json(), what));
  return guard;
}

async function makeGuard(schema: Json | undefined, what: string): Promise<PatternGuard> {
  const patterns = new Set(schema === undefined ? [] : patternsIn(schema));
  // The library that parses patterns is loaded only if there are some.
  if (patterns.size === 0 || schema === undefined) return () => undefined;
  const { patternPower } = await import("./pattern_cost.ts");
  const slow = new Map<string, number>();
  for (const pattern of patterns) {
    const power = patternPower(pattern);
    if (power > MAX_POWER) throw tooSlow(pattern, power, what);
    if (power > 1) slow.set(pattern, power);
  }
  return slow.size === 0 ? () => undefined : (value) => longText(schema, slow, value);
}

function tooSlow(pattern: string, power: number, what: string): DefinitionError {
  const time = power === Infinity ? "exponential time" : `time that grows with power ${power} of the length of a text`;
  return new DefinitionError(
    `Cannot use the schema of the ${what}: the pattern ${quote(pattern)} can take ${time}, so a short text ` +
      "could stop the process. Rewrite it so that a repeated group can match a text in one way only.",
  );
}

function longText(schema: Json, slow: ReadonlyMap<string, number>, value: unknown): Mistake | undefined {
  const slowest = Math.max(...slow.values());
  let steps = 0;
  for (const { pattern, text, path } of textsUnder(schema, value)) {
    // `undefined` stands for a pattern that is not known.
    const power = pattern === undefined ? slowest : slow.get(pattern);
    if (power === undefined) continue;
    steps += text.length ** power;
    const asked = pattern === undefined ? "a slow pattern" : `the slow pattern ${quote(pattern)}`;
    const most = Math.min(MAX_CHARACTERS, Math.floor(MAX_STEPS ** (1 / power)));
    if (text.length > most) {
      return { path, message: `must NOT have more than ${most} characters, because it is matched against ${asked}` };
    }
    if (steps > MAX_STEPS) {
      return { path, message: `too much text is matched against ${asked}: send fewer or shorter texts` };
    }
  }
  return undefined;
}

/** All patterns in a schema, for texts and for names of fields. */
function patternsIn(schema: Json): string[] {
  if (Array.isArray(schema)) return schema.flatMap(patternsIn);
  if (!isObject(schema)) return [];
  const { patternProperties } = schema;
  return [
    ...patternsOf(schema),
    ...isObject(patternProperties) ? Object.keys(patternProperties) : [],
    ...Object.values(schema).flatMap(patternsIn),
  ];
}
