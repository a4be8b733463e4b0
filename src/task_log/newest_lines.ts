/**
 * How much of the log of a task is kept: the same on every backend.
 *
 * @module
 */
import type { LogLevel, NewLogLine } from "../contract/log.ts";
import { byteLength, cut } from "../text.ts";

/** The most lines that are kept of a task. */
export const MAX_LINES = 200;

/** The most bytes of all its lines together, as `sizeOf` counts them. */
export const MAX_BYTES = 65_536;

/** The longest text of a line, in UTF-16 units. */
const LONGEST_LINE = 4_000;

/** Lines that are stored together. */
export interface NewLines {
  /** How many earlier lines are left out, because too many waited to be stored. */
  readonly skipped: number;
  /** The lines, in order. */
  readonly lines: readonly NewLogLine[];
}

/** A line as it can be stored: well formed, and cut if it is too long. */
export function logLine(at: number, level: LogLevel, text: string): NewLogLine {
  return { at, level, text: cut(text.toWellFormed(), LONGEST_LINE) };
}

/** The size of a line, in bytes: its time in ms, its level and its text in UTF-8, separated by spaces. */
export function sizeOf({ at, level, text }: NewLogLine): number {
  return `${at} ${level} `.length + byteLength(text);
}

/** Lines, in order, of which the oldest are dropped once they are more than a task keeps. */
export class NewestLines<Line extends NewLogLine> {
  readonly #lines: Line[] = [];
  #bytes = 0;
  #dropped = 0;

  /** Begins with some lines. */
  constructor(lines: Iterable<Line> = []) {
    for (const line of lines) this.add(line);
  }

  add(line: Line): void {
    this.#lines.push(line);
    this.#bytes += sizeOf(line);
    while (this.#lines.length > MAX_LINES || this.#bytes > MAX_BYTES) {
      const oldest = this.#lines.shift();
      if (oldest === undefined) return;
      this.#bytes -= sizeOf(oldest);
      this.#dropped++;
    }
  }

  /** The lines that are left. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  get dropped(): number {
    return this.#dropped;
  }
}

/** Returns the lines that are kept of all lines of a task. */
export function newestLines<Line extends NewLogLine>(lines: Iterable<Line>): readonly Line[] {
  return new NewestLines(lines).lines;
}
