/**
 * Errors that no caller receives, such as a lease that cannot be renewed or a sweep that fails.
 *
 * @module
 */
import { JobsError } from "../errors.ts";
import { countError } from "../telemetry/metrics.ts";
import { cut, escaped, messageOf } from "../text.ts";
import { kindOf } from "./error_kind.ts";
import { writeLine } from "./stderr.ts";

/** Where an error happened. */
export interface ErrorPlace {
  /** What failed, such as "renew the lease of a worker": one of a few fixed texts, to count and filter by. */
  readonly where: string;
  /** The job that it concerns. */
  readonly job?: string;
  /** The id of the task that it concerns. */
  readonly task?: string;
}

/**
 * Receives an error that no caller receives. It is not awaited; one that throws or rejects is itself reported on stderr.
 * An error that a job's code has thrown may quote the job's input.
 *
 * Default: a line of JSON on stderr with `at`, `where`, `job`, `task` and `error`; at most 10 a minute for each `where`,
 * and then a line with `leftOut`, the number of those that were left out. It contains no message of a job's code.
 */
export type OnError = (error: unknown, place: ErrorPlace) => void;

/** The `where` of an attempt that fails unexpectedly. */
export const RUN_A_JOB = "run a job";

export const RUN_A_KEY_FUNCTION = "run a key function";

/** The `where` of a listener that throws, such as one of `backend.watch`. */
export const CALL_A_LISTENER = "call a listener of changes";

/** Where the code of jobs fails, which may quote its input. */
const IN_CODE: readonly string[] = [RUN_A_JOB, RUN_A_KEY_FUNCTION];

/** How many errors of one place get a line within so many ms. */
const MAX_LINES = 10;
const WINDOW_MS = 60_000;

/** The longest error text in a line, in UTF-16 units. */
const LONGEST = 500;

/** The errors of one place within a minute. */
interface Minute {
  /** When its first error came, in ms since the epoch. */
  readonly since: number;
  errors: number;
}

/** Writes errors as lines of JSON, a limited number for each place. */
export class ErrorLines {
  readonly #write: (line: string) => void;
  readonly #now: () => number;
  readonly #minutes = new Map<string, Minute>();

  /** `now` is the time, in ms since the epoch. */
  constructor(write: (line: string) => void, now: () => number) {
    this.#write = write;
    this.#now = now;
  }

  /** Writes an error, unless its place has had enough lines. The number of those left out follows once a minute is over. */
  readonly report: OnError = (error, place) => {
    const now = this.#now();
    this.#writeLeftOut(({ since }) => now - since >= WINDOW_MS || now < since);
    const minute = this.#minutes.get(place.where) ?? { since: now, errors: 0 };
    this.#minutes.set(place.where, minute);
    if (++minute.errors <= MAX_LINES) this.#line({ ...place, error: cut(textOf(error, place), LONGEST) });
  };

  /** Writes how many lines were left out so far. */
  end(): void {
    this.#writeLeftOut(() => true);
  }

  #writeLeftOut(isOver: (minute: Minute) => boolean): void {
    for (const [where, minute] of this.#minutes) {
      if (!isOver(minute)) continue;
      this.#minutes.delete(where);
      if (minute.errors > MAX_LINES) this.#line({ where, leftOut: minute.errors - MAX_LINES });
    }
  }

  #line({ where, job, task, ...rest }: ErrorPlace & ({ readonly error: string } | { readonly leftOut: number })): void {
    const line = JSON.stringify({ at: new Date(this.#now()).toISOString(), where, job, task, ...rest });
    this.#write(escaped(line));
  }
}

/** The text of any thrown value. */
function textOf(error: unknown, place: ErrorPlace): string {
  try {
    return describe(error, place);
  } catch {
    // Reading it throws: code may throw any object.
    return "an error that cannot be shown";
  }
}

/** The text of an error. Code of jobs may quote its input in a message; then its class and its place in the code must do. */
function describe(error: unknown, { where }: ErrorPlace): string {
  const inCode = IN_CODE.includes(where);
  if (error instanceof JobsError && !inCode) return error.message;
  const text = inCode ? kindOfThrown(error) : messageOf(error);
  const frame = firstFrame(error);
  return frame === undefined ? text : `${cut(text, LONGEST / 2)} (at ${frame})`;
}

/** What was thrown, without its message. */
function kindOfThrown(error: unknown): string {
  if (error instanceof Error) return kindOf(error);
  return typeof error === "object" ? "an object" : `a ${typeof error}`;
}

/** Frames of a stack that lie in Deno itself or in a package of npm. */
const FOREIGN = /\b(ext|node|npm):|\/(npm|node_modules)\//;

/** The first place outside of libraries that an error has passed, as its stack says behind its message. */
function firstFrame(error: unknown): string | undefined {
  if (!(error instanceof Error) || typeof error.stack !== "string") return undefined;
  const at = error.stack.indexOf(error.message);
  if (at < 0) return undefined;
  const frames = error.stack.slice(at + error.message.length).matchAll(/^ {4}at (.+)$/gm);
  return frames.map(([, frame = ""]) => frame).find((frame) => !FOREIGN.test(frame));
}

/** One for the whole process, so that the limit counts for everything that writes to its stderr. */
const lines = new ErrorLines(writeLine, () => Date.now());
const endLines = () => lines.end();

const toStderr: OnError = (error, place) => {
  globalThis.addEventListener("unload", endLines); // Once, however often it is called.
  lines.report(error, place);
};

/** Wraps a user's function whose result is not awaited: what it throws or rejects with goes to `failed`. */
export function guarded<Args extends readonly unknown[]>(
  act: (...args: Args) => unknown,
  failed: (reason: unknown, ...args: Args) => void,
): (...args: Args) => void {
  return (...args) => {
    try {
      const returned = act(...args);
      if (returned !== undefined) Promise.resolve(returned).catch((reason) => failed(reason, ...args));
    } catch (reason) {
      failed(reason, ...args);
    }
  };
}

/** What `reporterOf` has made. One part of the system passes it on to others, and each error is to be counted once. */
const reporters = new WeakSet<OnError>();

/** An `onError` that never fails, whatever the user's does; without one, the default. It counts the errors, too. */
export function reporterOf(onError?: OnError): OnError {
  if (onError && reporters.has(onError)) return onError;
  const report = onError === undefined ? toStderr : guarded(onError, (reason, error, place) => {
    toStderr(error, place);
    toStderr(reason, { where: "call onError" });
  });
  const reporter: OnError = (error, place) => {
    countError(place.where);
    report(error, place);
  };
  reporters.add(reporter);
  return reporter;
}
