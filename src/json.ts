/**
 * Turns values into JSON that can be stored.
 *
 * @module
 */
import { InvalidValue } from "./errors.ts";
import type { Json, Outcome } from "./task.ts";
import { byteLength, isWithin, quote } from "./text.ts";

/** The largest input or result, in UTF-8 bytes of JSON. */
export const MAX_VALUE_BYTES: number = 16 * 1024 * 1024;

/** Objects that JSON would turn into empty ones. */
const EMPTY_IN_JSON = [
  ...[Map, Set, WeakMap, WeakSet, Promise, Error, RegExp, ArrayBuffer],
  ...[Response, Request, Headers, URLSearchParams, FormData, Blob, ReadableStream],
];

/** Whether a value is a JSON object; does not look at its fields. */
export function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Checks that a value is JSON of at most {@linkcode MAX_VALUE_BYTES}, and returns it as JSON represents it: `undefined`
 * becomes `null`, `toJSON` is called, and a lone surrogate becomes U+FFFD, also in keys; if two keys become equal, the last
 * one wins. Throws `InvalidValue`, which says where, for a function, a symbol, a BigInt, a cycle, NaN, an infinite number,
 * objects that JSON would turn into empty ones (a Map, a Promise, an Error, a Response), and bytes (a Uint8Array).
 */
export function toJson(value: unknown, what: string): Json {
  if (value === undefined) return null;
  try {
    // Despite its type, it returns `undefined` if `toJSON` does.
    const text: string | undefined = JSON.stringify(value, (key, item) => refuseNonJson(key, item, what));
    return text === undefined ? null : JSON.parse(checkSize(wellFormedText(text), what));
  } catch (cause) {
    if (cause instanceof InvalidValue) throw cause;
    throw new InvalidValue(`${what} is not JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** The JSON text of a value. Throws `InvalidValue` if it is larger than {@linkcode MAX_VALUE_BYTES}. */
export function toText(value: Json | Outcome, what: string): string {
  return checkSize(JSON.stringify(value), what);
}

/**
 * Makes all texts and keys of a value well formed, as messages to clients must be. Returns the same value if they are so
 * already. For values that are known to be JSON.
 */
export function wellFormed<T>(value: T): T {
  return measured(value).value;
}

/** The same value as well-formed text, with its length in characters of JSON. */
export function measured<T>(value: T): { readonly value: T; readonly length: number } {
  const text = JSON.stringify(value);
  const whole = wellFormedText(text);
  return { value: whole === text ? value : JSON.parse(whole), length: text.length };
}

/** JSON with sorted keys, so that equal values (JSON Schema core 4.2.2) give equal texts. */
export function canonicalJson(value: unknown): string {
  const sorted = (item: object) => Object.fromEntries(Object.entries(item).sort(([a], [b]) => a < b ? -1 : 1));
  return JSON.stringify(value, (_, item) => isObject(item) ? sorted(item) : item);
}

/** Replaces lone surrogates in the output of `JSON.stringify`, which writes only these as escapes of surrogates. */
function wellFormedText(json: string): string {
  if (!json.includes("\\ud")) return json;
  // An escaped backslash is skipped as a whole, since what follows it is not an escape.
  return json.replaceAll(/\\(ud[89a-f][0-9a-f]{2}|.)/g, (escape) => escape.length > 2 ? "\ufffd" : escape);
}

/** Whether a JSON value has more than `most` fields and items. Stops counting there. */
export function hasMoreParts(value: unknown, most: number): boolean {
  const found: unknown[] = [value];
  // Iterating over an array includes what is added on the way.
  for (const part of found) {
    if (typeof part !== "object" || part === null) continue;
    const inside = Object.values(part);
    if (found.length + inside.length > most) return true;
    found.push(...inside);
  }
  return false;
}

function checkSize(text: string, what: string): string {
  if (isWithin(text, MAX_VALUE_BYTES)) return text;
  throw new InvalidValue(
    `${what} has ${byteLength(text)} bytes as JSON; the most that can be stored is ${MAX_VALUE_BYTES}. ` +
      "Store it elsewhere, and pass on where it is",
  );
}

function refuseNonJson(key: string, item: unknown, what: string): unknown {
  const kind = nonJson(item);
  if (kind === undefined) return item;
  const field = what === "it" ? `its field ${quote(key)}` : `the field ${quote(key)} of ${what}`;
  const where = key === "" ? what : field;
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
      const prototype = item && Object.getPrototypeOf(item);
      if (prototype === null || prototype === Object.prototype || prototype === Array.prototype) return undefined;
      const name = ArrayBuffer.isView(item)
        ? item.constructor.name
        : EMPTY_IN_JSON.find((one) => item instanceof one)?.name;
      return name && `${/^[AE]/.test(name) ? "an" : "a"} ${name}`;
    }
  }
}
