/**
 * A schedule as it is stored, and its changes, as pure functions.
 *
 * @module
 */
import type { ScheduleInfo } from "../backend.ts";
import { canonicalJson } from "../json.ts";
import type { Json } from "../task.ts";
import { dueAfter, dueBefore, type Times } from "./times.ts";

/** What a server declares of a schedule. */
export interface Declaration {
  readonly job: string;
  readonly owner: string;
  readonly input: Json;
  readonly times: Times;
  /** Whether one task makes up for the due times of a downtime. */
  readonly catchUp: boolean;
}

/** A schedule, as its document has it. */
export interface Schedule extends Declaration {
  readonly paused: boolean;
  /** When its times were declared, in ms since the epoch: they are due after it, and those of `every` are counted from it. */
  readonly anchor: number;
  /** The next due time that nobody has served, in ms since the epoch; absent if there is none. */
  readonly nextAt?: number;
  readonly last?: ScheduleInfo["last"];
}

/** What a server is to do about a schedule. */
export type Decision =
  | { readonly kind: "wait"; readonly until: number }
  /** Create the task of this due time; `skip`: create none. Either way this time and all before it are served. */
  | { readonly kind: "create" | "skip"; readonly dueAt: number };

/** What the names of their documents begin with. */
export const SCHEDULE = "schedule:";

/** How late a task may be created while a server runs: the store may be away, or the machine busy. */
export const LATE_MS = 60_000;

/** How old a due time may be when a server starts to be served as usual, in ms: the previous server may just have died. */
const HANDOVER_MS = 1_000;

/** How long a server leaves a due time from before its start to others, which may be about to serve it. */
export const TAKEOVER_DELAY_MS = 3_000;

/**
 * The schedule after a server has declared it, whether it is new or has changed. A paused one stays paused, and what is due
 * but not served remains due if the times change.
 */
export function declared(declaration: Declaration, stored: Schedule | undefined, now: number): Schedule {
  if (stored && sameTimes(stored.times, declaration.times)) return { ...stored, ...declaration };
  const { paused = false, last, nextAt = Infinity } = stored ?? {};
  const isDue = nextAt <= now && !paused;
  const changed = { ...declaration, paused, anchor: now, last };
  return { ...changed, nextAt: isDue ? nextAt : nextOf(changed, now) };
}

/** The schedule after an operator has paused or resumed it. Times during the pause are left out. */
export function withPause(schedule: Schedule, paused: boolean, now: number): Schedule {
  if (schedule.paused === paused) return schedule;
  return { ...schedule, paused, nextAt: nextOf(schedule, now) };
}

/** The next due time that has no task yet. The last one may still be ahead by this clock, if another server's clock is fast. */
function nextOf({ times, anchor, last }: Schedule, now: number): number | undefined {
  return dueAfter(times, anchor, Math.max(now, last?.dueAt ?? now));
}

/** A schedule after a due time; with the id of its task, unless it was skipped. */
export function served(schedule: Schedule, dueAt: number, task: string | undefined): Schedule {
  const nextAt = dueAfter(schedule.times, schedule.anchor, dueAt);
  return { ...schedule, nextAt, last: task === undefined ? schedule.last : { dueAt, task } };
}

/**
 * What a server that has run since `since`, and has seen this `nextAt` since `seenAt`, is to do. It creates a task for each due
 * time since its start, even if it is late. Earlier times that no server serves belong to a downtime, and only the last of
 * them is made up for. The same holds for times that are more than a minute late, as after the machine has slept.
 */
export function decide(
  { times, anchor, paused, nextAt, catchUp }: Schedule,
  now: number,
  since: number,
  seenAt: number,
): Decision {
  if (paused || nextAt === undefined) return { kind: "wait", until: Infinity };
  if (now < nextAt) return { kind: "wait", until: nextAt };
  const missed = Math.max(since - HANDOVER_MS, now - LATE_MS);
  if (nextAt >= missed) return { kind: "create", dueAt: nextAt };
  if (now < seenAt + TAKEOVER_DELAY_MS) return { kind: "wait", until: seenAt + TAKEOVER_DELAY_MS };
  const last = Math.max(dueBefore(times, anchor, missed) ?? nextAt, nextAt);
  const next = dueAfter(times, anchor, last);
  if (next !== undefined && next <= now) return { kind: "create", dueAt: next }; // It makes up for them as well.
  return { kind: catchUp ? "create" : "skip", dueAt: last };
}

export function toText(schedule: Schedule): string {
  return canonicalJson(schedule);
}

export function parse(text: string): Schedule {
  return JSON.parse(text);
}

/** What an operator sees of a schedule. */
export function infoOf(name: string, { job, owner, input, times, paused, nextAt, last }: Schedule): ScheduleInfo {
  const next = paused || nextAt === undefined ? {} : { nextAt };
  return { name, job, owner, input, times, paused, ...next, ...(last && { last }) };
}

function sameTimes(one: Times, other: Times): boolean {
  return canonicalJson(one) === canonicalJson(other);
}
