/**
 * Turns an operator's filter into a store's query, and checks what the store returns, which may be more than what matches.
 *
 * @module
 */
import type { TaskFilter } from "../backend.ts";
import { CLOCKS_DIFFER_MS, firstIdOf, refuseCursor } from "../ids.ts";
import { numberFrom, oneOf, owner, required, type Rules, text, wholeNumber } from "../options.ts";
import { isTerminal, type TaskInfo, TaskStatus } from "../task.ts";
import { NAME } from "./arguments.ts";
import type { Purged, TaskQuery } from "./primitives.ts";

/** The most tasks of a page. */
const MAX_LIMIT = 1_000;

export const FILTER: Rules<TaskFilter> = {
  job: NAME,
  status: oneOf(...Object.values(TaskStatus)),
  owner,
  since: numberFrom(-Infinity),
  until: numberFrom(-Infinity),
  cursor: text,
  limit: wholeNumber(1, MAX_LIMIT),
};

export const PURGE: Rules<Purged> = {
  status: required(oneOf(...Object.values(TaskStatus).filter(isTerminal))),
  before: required(numberFrom(-Infinity)),
};

/**
 * What the first read asks for. The time in an id is at most `ahead` ms later than the creation of its task, and at most a
 * minute earlier. Throws `InvalidInput` for a cursor that is not the id of a task.
 */
export function queryOf(
  { job, status, owner, since, until, cursor }: TaskFilter,
  ahead: number,
): TaskQuery {
  refuseCursor(cursor);
  const end = until === undefined ? undefined : firstIdOf(Math.ceil(until + ahead));
  const before = [cursor, end].filter((id) => id !== undefined).sort()[0];
  return { job, status, owner, before, from: since === undefined ? undefined : firstIdOf(since - CLOCKS_DIFFER_MS) };
}

/** Whether a task is one of those that the filter asks for. */
export function matches(
  task: TaskInfo,
  { job, status, owner, since = -Infinity, until = Infinity }: TaskFilter,
): boolean {
  const fits = (expected: string | undefined, is: string) => expected === undefined || expected === is;
  return fits(job, task.job) && fits(status, task.status) && fits(owner, task.owner) &&
    since <= task.createdAt && task.createdAt < until;
}
