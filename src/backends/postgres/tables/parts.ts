/**
 * Parts of several statements. Those that write tasks have a part `written`, with the `id`, `job`, `version`, `state`, `record` and
 * `was_state` (of a new task: NULL) of each; those that delete tasks have a part `gone`, with `id`, `job` and `state`.
 *
 * @module
 */
import { isMarked } from "../operating/states.ts";
import { dueAtOf, type TaskRecord, urgencyOf } from "../../shared/record.ts";
import { dueOf, FIRST_ID } from "../rows.ts";
import type { Column } from "./rows_in.ts";

/** Where a task waits, as `queued` needs it. */
export const PLACE: readonly Column<{ readonly record: TaskRecord }>[] = [
  ["priority", "float8", ({ record }) => urgencyOf(record)],
  ["due_at", "float8", ({ record }) => dueOf(record)],
  ["delayed", "boolean", ({ record }) => dueAtOf(record) !== undefined],
];

/** Queues the tasks that wait; `written` also has the columns `PLACE`. */
export function queued(schema: string): string {
  return `queued AS (
  INSERT INTO ${schema}.queue (job, delayed, priority, due_at, id, version)
  SELECT job, delayed, priority, to_timestamp(due_at / 1000), id, version FROM written WHERE due_at IS NOT NULL
)`;
}

/** Counts the tasks for operators. */
export function counted(schema: string): string {
  return `counted AS (
  INSERT INTO ${schema}.counts (job, state, tasks)
  SELECT job, changes.state, sum(change) FROM written, LATERAL (VALUES (state, 1), (was_state, -1)) AS changes (state, change)
  WHERE changes.state IS NOT NULL GROUP BY job, changes.state HAVING sum(change) <> 0
)`;
}

/** Adds the event. The first parameter is the name under which this process writes events. */
export function announced(schema: string): string {
  return `announced AS (
  INSERT INTO ${schema}.events (writer, tasks)
  SELECT $1::uuid, '[' || string_agg(record, ',') || ']' FROM written HAVING count(*) > 0
)`;
}

/** Deletes what else is stored about deleted tasks. */
export function goneStatements(schema: string): string {
  return `steps AS (
  DELETE FROM ${schema}.steps WHERE id = ANY(ARRAY(SELECT id FROM gone))
), logs AS (
  DELETE FROM ${schema}.logs WHERE id = ANY(ARRAY(SELECT id FROM gone))
), discounted AS (
  INSERT INTO ${schema}.counts (job, state, tasks) SELECT job, state, -count(*) FROM gone GROUP BY job, state
), unmarked AS (
  DELETE FROM ${schema}.marks USING gone WHERE ${
    isMarked("gone.state")
  } AND marks.status = gone.state AND marks.id = gone.id
)`;
}

/** A condition that every id fulfils, so that the rows are read by their index: the table itself has outdated rows, too. */
export function everyId(column: string): string {
  return `${column} >= '${FIRST_ID}'::uuid`;
}

/**
 * Selects the `id` of each task that a worker (or any worker) has claimed since its rows were last merged; some are not held
 * any more.
 */
export function heldIds(schema: string, worker?: string): string {
  const whose = worker === undefined ? everyId("worker") : `worker = ${worker}`;
  return `(SELECT DISTINCT unnest(ids) AS id FROM ${schema}.claims WHERE ${whose})`;
}
