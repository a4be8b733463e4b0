/**
 * From what a job returns to what can be stored.
 *
 * @module
 */
import { InvalidValue } from "./errors.ts";
import type { Json, Outcome } from "./task.ts";
import { quote } from "./text.ts";

/** The largest input or result, as UTF-8 bytes of JSON. */
export const MAX_VALUE_BYTES: number = 16 * 1024 * 1024;

/** What JSON would make an empty object of. */
const HOLLOW = [Map, Set, WeakMap, WeakSet, Promise, Error, RegExp];

/** Whether a value is a JSON object, as far as its outside tells. */
export function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Checks that a value is JSON of at most {@linkcode MAX_VALUE_BYTES}, and returns it as JSON will carry it: `undefined`
 * becomes `null`, `toJSON` is honoured, and half a character, a lone surrogate, is U+FFFD, in keys, too: of two keys that
 * are the same then the last one stays, as JSON has it. Throws `InvalidValue` for a function, a symbol, a BigInt, a cycle, NaN, an
 * infinite number, and what JSON would make an empty object of (a Map, a Promise, an Error), and says where it is.
 */
export function toJson(value: unknown, what: string): Json {
  if (value === undefined) return null;
  try {
    // There is no text where `toJSON` gives `undefined`, whatever the types say.
    const text: string | undefined = JSON.stringify(value, refuseNonJson);
    return text === undefined ? null : JSON.parse(checkSize(wellFormedText(text), what));
  } catch (cause) {
    if (cause instanceof InvalidValue) throw cause;
    throw new InvalidValue(`${what} is not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** A value as the JSON text to be stored. Throws `InvalidValue` if it is larger than {@linkcode MAX_VALUE_BYTES}. */
export function toText(value: Json | Outcome, what: string): string {
  return checkSize(JSON.stringify(value), what);
}

/**
 * A value whose texts and keys are all well formed, as what is sent to a client must be: the same value, if it is so
 * already. As `toJson`, but for what is known to be JSON.
 */
export function wellFormed<T>(value: T): T {
  const text = JSON.stringify(value);
  const whole = wellFormedText(text);
  return whole === text ? value : JSON.parse(whole);
}

/** JSON that `JSON.stringify` has made, without half characters: those alone it writes as escapes of surrogates. */
function wellFormedText(json: string): string {
  if (!json.includes("\\ud")) return json;
  // An escaped backslash is passed over whole: what stands behind it is no escape.
  return json.replaceAll(/\\(ud[89a-f][0-9a-f]{2}|.)/g, (escape) => escape.length > 2 ? "\ufffd" : escape);
}

function checkSize(text: string, what: string): string {
  // Only a text that could be too large is measured: a UTF-16 unit takes at most three bytes.
  const bytes = text.length * 3 <= MAX_VALUE_BYTES ? 0 : new TextEncoder().encode(text).length;
  if (bytes <= MAX_VALUE_BYTES) return text;
  throw new InvalidValue(`${what} has ${bytes} bytes as JSON; the most that can be stored is ${MAX_VALUE_BYTES}`);
}

function refuseNonJson(key: string, item: unknown): unknown {
  const kind = nonJson(item);
  if (kind === undefined) return item;
  const where = key === "" ? "it" : `its field ${quote(key)}`;
  throw new InvalidValue(`${where} is ${kind}, which is not JSON`);
}

function nonJson(item: unknown): string | undefined {
  switch (typeof item) {
    case "function":
    case "symbol":
    case "bigint":
      return `a ${typeof item}`;
    case "number":
      return Number.isFinite(item) ? undefined : String(item);
    case "object": {
      const hollow = HOLLOW.find((kind) => item instanceof kind);
      return hollow && `${hollow === Error ? "an" : "a"} ${hollow.name}`;
    }
  }
}
