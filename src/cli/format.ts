/**
 * Times, shares and values as people read them.
 *
 * @module
 */
import { openQuestions, type TaskInfo } from "../task.ts";
import { escaped, percentOf } from "../text.ts";

/** How long `ms` ms are, as `12s`, `5m`, `3h` or `2d`. */
export function lengthOfTime(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 100) return `${seconds}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes}m`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.round(hours / 24)}d`;
}

/** The last day with a year of four digits, in ms since the epoch. */
const LAST_DAY = Date.UTC(9999, 11, 30);

/** A time as `2026-11-28 14:05:09`, in the local time zone. */
export function timeOf(ms: number): string {
  if (ms > LAST_DAY) return "after the year 9999";
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19).replace("T", " ");
}

/** A share as `42%`; nothing while it is not known. */
export function percent(share: number | undefined): string {
  return share === undefined ? "" : `${percentOf(share)}%`;
}

/** What a task asks, or else its message. */
export function stateOf(task: TaskInfo): string {
  const asked = openQuestions(task).map(({ message }) => message);
  return asked.length > 0 ? `asks: ${asked.join("; ")}` : task.message ?? "";
}

/** A text of several lines without what a terminal takes for a command. */
export function printable(text: string): string {
  return text.split("\n").map(escaped).join("\n");
}

/** A value as JSON, without what a terminal takes for a command; with `space`, as `JSON.stringify` takes it. */
export function jsonOf(value: unknown, space?: number): string {
  return printable(JSON.stringify(value, null, space));
}
