/**
 * Task ids and the names of owners. Ids are UUIDs of version 7 (RFC 9562, section 5.7), so that later ids sort after earlier ones.
 *
 * @module
 */
import { InvalidInput } from "./errors.ts";

/** The latest time that an id can hold, in ms since the epoch. */
const MAX_MS = 2 ** 48 - 1;

/** The longest name of an owner that backends accept, in UTF-16 units. */
export const MAX_OWNER_LENGTH = 128;

/** Whether this is the name of an owner. Some stores keep texts as UTF-8, where all halves of surrogate pairs are alike. */
export function isOwner(name: string): boolean {
  return name.length >= 1 && name.length <= MAX_OWNER_LENGTH && name.isWellFormed();
}

let last = 0;
let counter = 0;

/**
 * Creates a task id: 48 bits of time (`now`, in ms), a 12-bit counter that keeps the ids of a process in order, and 62
 * random bits. For code that passes tasks to a backend directly; `AsyncToolServer` creates its own.
 *
 * @example
 * ```ts
 * import { newTaskId } from "@mcp-jobs/mcp-jobs/backend";
 * const [first, second] = [newTaskId(), newTaskId()];
 * if (first >= second) throw new Error("later ids sort after earlier ones");
 * ```
 */
export function newTaskId(now: number = Date.now()): string {
  counter = now > last ? 0 : counter + 1;
  if (counter > 0xfff) {
    counter = 0;
    last++;
  }
  last = Math.max(now, last);
  const time = last.toString(16).padStart(12, "0");
  const order = counter.toString(16).padStart(3, "0");
  // A random UUID has the same variant bits and 62 random bits in its last two groups.
  return `${time.slice(0, 8)}-${time.slice(8)}-7${order}-${crypto.randomUUID().slice(19)}`;
}

/** An id that no task has. Stores read it instead of a malformed one, so that the time of the answer reveals nothing. */
export const NO_TASK = "00000000-0000-7000-8000-000000000000";

/** Whether a text has the form of a task id. */
export function isTaskId(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text);
}

/** Throws `InvalidInput` for a cursor that is not the id of a task: the last one of the page before. */
export function refuseCursor(cursor: string | undefined): void {
  if (cursor === undefined || isTaskId(cursor)) return;
  throw new InvalidInput("cursor", [{ path: "", message: "no page of tasks has it" }]);
}

/** The least id that a task of this time may have; `time` is in ms since the epoch, and may be infinite. */
export function firstIdOf(time: number): string {
  const ms = Math.trunc(Math.min(Math.max(0, time), MAX_MS));
  const text = ms.toString(16).padStart(12, "0");
  return `${text.slice(0, 8)}-${text.slice(8)}-7000-8000-000000000000`;
}

/** How far the clock that made an id may be from the one that stored its task, in ms. */
export const CLOCKS_DIFFER_MS = 60_000;

/** How far the time in a task's id is ahead of its creation by the store's clock, in ms: from 0 to a minute. */
export function aheadOf({ id, createdAt }: { readonly id: string; readonly createdAt: number }): number {
  return Math.min(Math.max(0, timeOfTaskId(id) - createdAt), CLOCKS_DIFFER_MS);
}

/** When a task id was made, in ms since the epoch by the clock of its maker. */
export function timeOfTaskId(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
