/**
 * Texts of others, cut to a length that can be kept, told, and sent in one message.
 *
 * @module
 */

/** A text of at most `most` UTF-16 units; what was cut off is told by "…". */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  // Half of a character would be no text that every store takes.
  return `${text.slice(0, most).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Quotes a caller's text for an error message, well formed, and shortened so that a huge one makes no huge message. */
export function quote(text: string): string {
  return JSON.stringify(cut(text.toWellFormed(), 64));
}

/** The longest status message, in UTF-16 units. */
const LONGEST_STATUS_MESSAGE = 1_000;

/** A status message, well formed, and short enough to stand in every event of its task. */
export function cutMessage(message: string): string {
  return cut(message.toWellFormed(), LONGEST_STATUS_MESSAGE);
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A text as one line of at most `most` UTF-16 units: what ends or hides a line, or turns its direction, is escaped. */
export function oneLine(text: string, most: number): string {
  const escape = (found: string) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return cut(text, most).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, escape);
}

/**
 * The largest message to a client, in bytes on the wire: UTF-8, with the escapes of JSON. Clients in Python refuse an event
 * of more than 1,048,576 bytes, and lose the connection with it.
 */
export const MAX_SENT_BYTES = 900_000;

/** How much of it one value may take. The rest is for the envelope, where some texts, such as the id, are the client's and may be long. */
const MAX_PAYLOAD_BYTES = 780_000;

/** Whether a value, as JSON, fits into one message. */
export function fits(value: unknown): boolean {
  const text = JSON.stringify(value);
  // Only a text that could be too large is measured: a UTF-16 unit takes at most three bytes.
  return text.length * 3 <= MAX_PAYLOAD_BYTES || lengthOf(text) <= MAX_PAYLOAD_BYTES;
}

/** The pieces of a list that fit into one message each, in order; an item that does not fit at all is one by itself. */
export function piecesOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (fits(items)) return [items];
  const pieces: T[][] = [];
  let left = 0;
  for (const item of items) {
    const bytes = lengthOf(JSON.stringify(item)) + 1;
    left -= bytes;
    const last = pieces.at(-1);
    if (last && left >= 0) last.push(item);
    else {
      pieces.push([item]);
      left = MAX_PAYLOAD_BYTES - bytes;
    }
  }
  return pieces;
}

/** A text, or as much of its beginning as `most` bytes of a message hold; "…" then says that more was cut off. */
export function cutToFit(text: string, most: number = MAX_PAYLOAD_BYTES): string {
  const end = endOfPiece(text, 0, most);
  return end === text.length ? text : `${text.slice(0, end)}…`;
}

/** The pieces of a text that fit into one message each, in order; together they are the text. */
export function pagesOf(text: string): readonly string[] {
  const pages: string[] = [];
  for (let from = 0; from < text.length || pages.length === 0;) {
    const end = endOfPiece(text, from, MAX_PAYLOAD_BYTES);
    pages.push(text.slice(from, end));
    from = end;
  }
  return pages;
}

function lengthOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Where the longest piece ends that begins at `from` and takes at most `most` bytes; never within a character. */
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

/** The bytes of a UTF-16 unit in a JSON string, as `JSON.stringify` writes it: what is half a character is escaped, too. */
function bytesOf(unit: number): number {
  if (unit < 0x20) return unit === 8 || unit === 9 || unit === 10 || unit === 12 || unit === 13 ? 2 : 6;
  if (unit === 0x22 || unit === 0x5c) return 2;
  if (unit < 0x80) return 1;
  if (unit < 0x800) return 2;
  return unit >> 11 === 0x1b ? 6 : 3;
}
