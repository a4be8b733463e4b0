/**
 * Texts as they can be stored, shown, and sent in one message.
 *
 * @module
 */

/** A text of at most `most` UTF-16 units; "…" marks that it was cut. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  // Not every store takes half of a character.
  return `${text.slice(0, most).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** How much is done, of 0 to 1, in whole percent: 100 only once all of it is. */
export function percentOf(share: number): number {
  return share < 1 ? Math.min(99, Math.round(share * 100)) : 100;
}

/** Quotes a caller's text for an error message: well formed, and shortened. */
export function quote(text: string): string {
  return JSON.stringify(cut(text.toWellFormed(), 64));
}

/** The longest status message, in UTF-16 units. */
const LONGEST_STATUS_MESSAGE = 1_000;

/** A status message: well formed, and short enough for every event of its task. */
export function cutMessage(message: string): string {
  return cut(message.toWellFormed(), LONGEST_STATUS_MESSAGE);
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    // Code may throw any object, also one without a text.
    return "an error without a text";
  }
}

/** A text as one line of at most `most` UTF-16 units, before what `escaped` escapes. */
export function oneLine(text: string, most: number): string {
  return escaped(cut(text, most));
}

/**
 * Escapes, as JSON does, the characters that break or hide a line, change its direction or control a terminal. JSON text
 * keeps its value.
 */
export function escaped(text: string): string {
  const hex = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (found) => found.split("").map(hex).join(""));
}

/**
 * How much of a message to a client one value may take, in bytes on the wire: UTF-8, with the escapes of JSON. Python clients
 * drop the connection at an event of more than 1,048,576 bytes, and the envelope contains texts of the client, such as a long id.
 */
export const MAX_PAYLOAD_BYTES = 780_000;

/** Whether a value, as JSON, has at most `most` bytes; by default, whether it fits into one message. */
export function fits(value: unknown, most: number = MAX_PAYLOAD_BYTES): boolean {
  if (isLonger(value, most)) return false;
  return isWithin(JSON.stringify(value), most);
}

/** Whether a text has at most `most` bytes in UTF-8. */
export function isWithin(text: string, most: number): boolean {
  // Measured only if it could be too large: a UTF-16 unit takes at most three bytes.
  return text.length * 3 <= most || byteLength(text) <= most;
}

/** Whether the texts in a value alone take more than `most` bytes, which is known sooner than its JSON is written. */
export function isLonger(value: unknown, most: number): boolean {
  let left = most;
  // Iterating over an array includes what is added on the way.
  const items = [value];
  for (const item of items) {
    // A UTF-16 unit takes at least one byte.
    if (typeof item === "string") left -= item.length;
    else if (typeof item === "object" && item !== null) { for (const one of Object.values(item)) items.push(one); }
    if (left < 0) return true;
  }
  return false;
}

/** Splits a list into pieces that fit into one message each, in order. An item that is too large is a piece of its own. */
export function piecesOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  return fits(items) ? [items] : packed(items, (item) => byteLength(JSON.stringify(item)) + 1, MAX_PAYLOAD_BYTES);
}

/** Groups items, in order, so that those of a group have at most `most` bytes together; a larger one has its own group. */
export function packed<T>(items: readonly T[], bytesOf: (item: T) => number, most: number): readonly (readonly T[])[] {
  const groups: T[][] = [];
  let left = 0;
  for (const item of items) {
    const bytes = bytesOf(item);
    left -= bytes;
    const last = groups.at(-1);
    if (last && left >= 0) last.push(item);
    else {
      groups.push([item]);
      left = most - bytes;
    }
  }
  return groups;
}

/** A text, or the beginning of it that fits into `most` bytes of a message; "…" marks that it was cut. */
export function cutToFit(text: string, most: number = MAX_PAYLOAD_BYTES): string {
  const end = endOfPiece(text, 0, most);
  return end === text.length ? text : `${text.slice(0, end)}…`;
}

/** Splits a text, in order, into slices that take at most `most` bytes of a message each. */
export function slicesOf(text: string, most: number): readonly string[] {
  const slices: string[] = [];
  for (let from = 0; from < text.length || slices.length === 0;) {
    const end = endOfPiece(text, from, most);
    slices.push(text.slice(from, end));
    from = end;
  }
  return slices;
}

/** The bytes of a text in UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Where the longest piece ends that starts at `from` and takes at most `most` bytes; never within a character. */
function endOfPiece(text: string, from: number, most: number): number {
  let at = from;
  for (let left = most; at < text.length;) {
    const isPair = text.charCodeAt(at) >> 10 === 0x36 && text.charCodeAt(at + 1) >> 10 === 0x37;
    left -= isPair ? 4 : bytesOf(text.charCodeAt(at));
    if (left < 0) break;
    at += isPair ? 2 : 1;
  }
  return at;
}

/** The bytes of a UTF-16 unit in a JSON string, as `JSON.stringify` writes it, which also escapes lone surrogates. */
function bytesOf(unit: number): number {
  if (unit < 0x20) return unit === 8 || unit === 9 || unit === 10 || unit === 12 || unit === 13 ? 2 : 6;
  if (unit === 0x22 || unit === 0x5c) return 2;
  if (unit < 0x80) return 1;
  if (unit < 0x800) return 2;
  return unit >> 11 === 0x1b ? 6 : 3;
}
