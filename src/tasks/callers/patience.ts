/**
 * How long the clients of a task can wait, as learned from the calls that they have given up.
 *
 * @module
 */
import { remember } from "../../recent.ts";
import type { TaskInfo } from "../../task.ts";

/** The shortest wait to which a client that has given up once reduces its next calls, in ms. */
export const SHORT_WAIT_MS = 4_000;

/** Of so many tasks it is known; the oldest are forgotten. */
const MAX_TASKS = 10_000;

/**
 * How long the client of a call that it has given up can wait, in ms: until it closed the stream of the call. If that is open,
 * nobody knows, because the model thinks before it makes the call again. One that ends sooner than any client gives up was cut.
 */
export function waitOf(
  call: { readonly since: number; readonly closedAt: () => number | undefined },
): number | undefined {
  const end = call.closedAt();
  if (end === undefined) return 0;
  return end - call.since < SHORT_WAIT_MS ? undefined : end - call.since;
}

/** What one server has learned. */
export class Patience {
  /** How long a call may wait, in ms, by the id of its task. */
  readonly #waits = new Map<string, number>();

  /** The client of a call gave it up after so many ms. */
  gaveUp({ id }: Pick<TaskInfo, "id">, after: number): void {
    remember(this.#waits, id, Math.max(SHORT_WAIT_MS, after * 0.8), MAX_TASKS);
  }

  /**
   * How long a call may wait for a task so that its client gets an answer in time, in ms: four fifths of the time after
   * which the last one was given up. If none was, `Infinity`.
   */
  waitFor({ id }: Pick<TaskInfo, "id">): number {
    return this.#waits.get(id) ?? Infinity;
  }
}
