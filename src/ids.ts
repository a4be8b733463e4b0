/**
 * Task ids: UUIDs of version 7 (RFC 9562, section 5.7), so that later ids sort behind earlier ones.
 *
 * @module
 */

let last = 0;
let counter = 0;

/**
 * Makes a task id: 48 bits of time (`now`, in ms), a 12-bit counter that keeps one process's ids in order, and 62 random
 * bits. For whoever hands a task to a backend himself; `AsyncToolServer` makes its own.
 *
 * @example
 * ```ts
 * import { newTaskId } from "@mcp-jobs/mcp-jobs/backend";
 * const [first, second] = [newTaskId(), newTaskId()];
 * if (first >= second) throw new Error("later ids sort behind earlier ones");
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

/** The id of no task. Who reads it waits as long as for an unknown one. */
export const NO_TASK = "00000000-0000-7000-8000-000000000000";

/** Whether a text has the form of a task id. */
export function isTaskId(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text);
}
