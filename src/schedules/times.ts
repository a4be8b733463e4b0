/**
 * When the tasks of a schedule are due: by a cron expression in a time zone, or every so many ms.
 *
 * @module
 */
import { Cron } from "croner";
import type { ScheduleInfo } from "../backend.ts";
import { DefinitionError } from "../errors.ts";
import { messageOf, quote } from "../text.ts";

export type Times = ScheduleInfo["times"];

/** Throws `DefinitionError` for an expression or a time zone that cannot be, or if no task would ever be due. */
export function checkTimes(times: Times, name: string): void {
  if ("every" in times) return;
  const what = `Cannot schedule ${name} at ${quote(times.cron)} in the time zone ${quote(times.timeZone)}`;
  // Croner also takes a date, a seventh field for the year, and names such as "@daily".
  const fields = times.cron.trim().split(/\s+/);
  if (!/^@\w+$/.test(times.cron.trim()) && fields.length !== 5 && fields.length !== 6) {
    throw new DefinitionError(`${what}: a cron expression has five fields, or six with seconds first.`);
  }
  if (!isTimeZone(times.timeZone)) {
    throw new DefinitionError(`${what}: name one of the IANA database, such as "UTC" or "Europe/Berlin".`);
  }
  let next: number | undefined;
  try {
    next = dueAfter(times, 0, Date.now());
  } catch (cause) {
    throw new DefinitionError(`${what}: ${messageOf(cause)}`, { cause });
  }
  if (next === undefined) throw new DefinitionError(`${what}: there is no such time.`);
}

/**
 * The first due time after a time. All are later than `anchor`, and those of `every` are whole multiples of it after that. A
 * cron expression for one time of day is due once each day: if clocks skip that time, at the first moment after the gap; if
 * it comes twice, at the first. One with `*` or steps in its minutes or hours follows elapsed time, also through a repeated
 * hour.
 */
export function dueAfter(times: Times, anchor: number, after: number): number | undefined {
  if ("cron" in times) return cronOf(times).nextRun(new Date(Math.max(after, anchor)))?.getTime();
  return anchor + Math.max(1, Math.floor((after - anchor) / times.every) + 1) * times.every;
}

/** The last due time before a time, if there is one after `anchor`. */
export function dueBefore(times: Times, anchor: number, before: number): number | undefined {
  const last = "cron" in times
    ? cronOf(times).previousRuns(1, new Date(before))[0]?.getTime() ?? -Infinity
    : anchor + (Math.ceil((before - anchor) / times.every) - 1) * times.every;
  return last > anchor ? last : undefined;
}

function cronOf({ cron, timeZone }: Extract<Times, { readonly cron: string }>): Cron {
  return new Cron(cron, { timezone: timeZone });
}

/** Croner takes the time zone of the machine for an empty name, which differs between servers. */
function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false; // Its error says no more.
  }
}
