/**
 * The kinds of options.
 *
 * @module
 */
import { TaskStatus, type TerminalStatus } from "../task.ts";
import { type Option, UsageError } from "./command.ts";

export function text(takes: string, about: string): Option<string> {
  return { takes, about, read: (text) => text };
}

/** An option without a text. */
export function flag(about: string): Option<true> {
  return { about, read: () => true };
}

export function number(takes: string, about: string, least: number, most: number): Option<number> {
  return {
    takes,
    about,
    read: (text) => {
      const value = /^\d+$/.test(text) ? Number(text) : NaN;
      if (value >= least && value <= most) return value;
      throw new UsageError(`needs a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
    },
  };
}

/** An option with one of a few words, in any case. */
export function oneOf<T extends string>(takes: string, about: string, words: readonly T[]): Option<T> {
  return {
    takes,
    about,
    read: (text) => {
      const found = words.find((word) => word === text.toUpperCase());
      if (found !== undefined) return found;
      throw new UsageError(`needs one of ${words.join(", ")}, not ${JSON.stringify(text)}`);
    },
  };
}

export const status: Option<TaskStatus> = oneOf(
  "STATUS",
  `one of ${Object.values(TaskStatus).join(", ")}`,
  Object.values(TaskStatus),
);

export function final(about: string): Option<TerminalStatus> {
  return oneOf("STATUS", about, ["COMPLETED", "FAILED", "CANCELLED"]);
}

const UNITS: { readonly [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** An option with a time: how long ago, such as `90s`, `15m`, `2h` or `7d`, or a date as `2026-11-28T08:00:00Z`. */
export function time(about: string): Option<number> {
  return {
    takes: "TIME",
    about: `${about}; "90s", "15m", "2h" or "7d" ago, or a date such as 2026-11-28T08:00:00Z`,
    read: (text, now) => {
      const [, amount, unit = ""] = /^(\d+)([smhd])$/.exec(text) ?? [];
      const ago = UNITS[unit];
      // A date alone would be one in UTC.
      const date = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.length === 10 ? `${text}T00:00` : text) : NaN;
      const at = ago === undefined ? date : now - Number(amount) * ago;
      if (!Number.isNaN(at)) return at;
      throw new UsageError(`needs a time, as "2h" or 2026-11-28T08:00:00Z, not ${JSON.stringify(text)}`);
    },
  };
}
