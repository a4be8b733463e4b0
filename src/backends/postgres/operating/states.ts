/**
 * The state of a task as one word of the tables, which counts, marks and filters use.
 *
 * @module
 */
import { isParked } from "../../../operator/counts.ts";
import type { TaskInfo, TaskStatus } from "../../../task.ts";

/** Ends the word for a task that is parked. */
const PARKED = "*";

/** The word for the state of a task, as it is stored. A claim leaves the word as it was. */
export function stateOf(info: TaskInfo): string {
  return isParked(info) ? info.status + PARKED : info.status;
}

/** The words for the states of a status. */
export function statesOf(status: TaskStatus): readonly string[] {
  return [status, status + PARKED];
}

/** What a word says. */
export function parseState(state: string): { readonly status: TaskStatus; readonly parked: boolean } {
  const parked = state.endsWith(PARKED);
  return { status: (parked ? state.slice(0, -PARKED.length) : state) as TaskStatus, parked };
}

/** The statuses that few tasks have: the table `marks` lists these tasks. The others are found without it. */
export const MARKED: readonly TaskStatus[] = ["RETRYING", "INPUT_REQUIRED", "FAILED", "CANCELLED"];

export function isMarkedState(state: string): boolean {
  return MARKED.includes(parseState(state).status);
}

/** The same as a condition in SQL. */
export function isMarked(state: string): string {
  return `${statusIn(state)} IN (${MARKED.map((status) => `'${status}'`).join()})`;
}

/** The status of a word, in SQL. */
export function statusIn(state: string): string {
  return `rtrim(${state}, '${PARKED}')`;
}
