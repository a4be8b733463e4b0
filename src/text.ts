/**
 * Texts of others, cut to a length that can be kept and told.
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
