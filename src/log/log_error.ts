/**
 * Errors that no caller receives, such as a lease that cannot be renewed or a sweep that fails, logged to stderr.
 *
 * @module
 */
import { writeLine } from "./stderr.ts";
import { messageOf, oneLine } from "../text.ts";

/** How often one repeated failure gets a line, in ms. */
const FOLD_MS = 60_000;

/** The longest error text in a line, in UTF-16 units. */
const LONGEST = 500;

interface Failing {
  /** When its last line was written, in ms. */
  readonly at: number;
  /** How often it has failed since. */
  again: number;
}

/** Writes errors as lines, at most one a minute for each operation that fails. */
export class ErrorLines {
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  readonly #failing = new Map<string, Failing>();

  /** `now` is a monotonic clock, in ms. */
  constructor(write: (line: string) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  /** `what` names the operation that failed, such as "renew the lease of a worker", and no single task. */
  write(what: string, error: unknown): void {
    const now = this.#now();
    const failing = this.#failing.get(what);
    if (failing && now - failing.at < FOLD_MS) return void failing.again++;
    this.#failing.set(what, { at: now, again: 0 });
    const again = failing?.again ? ` (and ${failing.again} times more since the last such line)` : "";
    this.#write(`mcp-jobs: cannot ${what}: ${oneLine(messageOf(error), LONGEST)}${again}`);
  }
}

const lines = new ErrorLines(writeLine, () => performance.now());

/** Logs an error that no caller receives. `what` names the operation that failed, such as "renew the lease of a worker". */
export function logError(what: string, error: unknown): void {
  lines.write(what, error);
}

/** Logs the error of an operation that nobody awaits, as in `sweep().catch(logFailureOf("sweep"))`. */
export function logFailureOf(what: string): (error: unknown) => void {
  return (error) => logError(what, error);
}
