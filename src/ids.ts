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
 * import { newTaskId } from "@mcp-jobs/mcp-jobs";
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
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, Math.floor(last / 2 ** 32));
  view.setUint32(2, last % 2 ** 32);
  view.setUint16(6, 0x7000 | counter);
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  const hex = bytes.toHex();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The id of no task. Who reads it waits as long as for an unknown one. */
export const NO_TASK = "00000000-0000-7000-8000-000000000000";

/** Whether a text has the form of a task id. */
export function isTaskId(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text);
}
