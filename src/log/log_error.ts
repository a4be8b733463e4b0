/**
 * Errors that no caller hears of, told on stderr: of a lease that cannot be renewed, of a sweep that fails.
 *
 * @module
 */
import { writeLine } from "./stderr.ts";
import { messageOf, oneLine } from "../text.ts";

/** For so long one thing that fails again and again has one line, in ms. */
const FOLD_MS = 60_000;

/** The longest text of an error in a line, in UTF-16 units. */
const LONGEST = 500;

interface Failing {
  /** When its last line was written. */
  readonly at: number;
  /** How often it has failed since. */
  again: number;
}

/** Lines about errors, at most one a minute for each thing that fails. */
export class ErrorLines {
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  readonly #failing = new Map<string, Failing>();

  /** `now` is a clock that is never set back, in ms. */
  constructor(write: (line: string) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  /** `what` could not be done, as "renew the lease of a worker"; it names the place in the code, and no task. */
  tell(what: string, error: unknown): void {
    const now = this.#now();
    const failing = this.#failing.get(what);
    if (failing && now - failing.at < FOLD_MS) return void failing.again++;
    this.#failing.set(what, { at: now, again: 0 });
    const again = failing?.again ? ` (and ${failing.again} times more since the last such line)` : "";
    this.#write(`mcp-jobs: cannot ${what}: ${oneLine(messageOf(error), LONGEST)}${again}`);
  }
}

const lines = new ErrorLines(writeLine, () => performance.now());

/** Tells on stderr of an error that no caller hears of. `what` could not be done, as "renew the lease of a worker". */
export function logError(what: string, error: unknown): void {
  lines.tell(what, error);
}

/** Takes the error of what nobody waits for, as in `sweep().catch(unheard("sweep"))`. */
export function unheard(what: string): (error: unknown) => void {
  return (error) => logError(what, error);
}
