/**
 * Parts of several statements. Those that write tasks have a part `written`, with the `id`, `job`, `version`, `state`, `record` and
 * `was_state` (of a new task: NULL) of each; those that delete tasks have a part `gone`, with `id`, `job` and `state`.
 *
 * @module
 */
import { PAUSED } from "../../../operator/pauses.ts";
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

/**
 * The workers that a statement claims tasks for, while their leases last: `alive` has each `worker` and the time `at`, in ms
 * since the epoch, unless a job was paused since the statement began. The lock reads a worker's row as it is now; everything
 * else is read as it was when the statement began.
 */
export function alive(schema: string, whose: string): string {
  return `leased AS MATERIALIZED (
  SELECT name, pauses FROM ${schema}.workers WHERE ${whose} AND expires_at > now() ORDER BY name FOR SHARE
), alive AS MATERIALIZED (
  SELECT name AS worker, floor(extract(epoch FROM now()) * 1000)::float8 AS at FROM leased
  WHERE pauses = (SELECT pauses FROM ${schema}.workers WHERE workers.name = leased.name)
)`;
}

export function isPaused(schema: string, job: string): string {
  return `EXISTS (SELECT FROM ${schema}.documents WHERE documents.name = '${PAUSED}' || ${job}::text)`;
}

/**
 * Lists claimed tasks with their workers, and adds the event, as `announced` does. The part `claims` has the `id`, `record` and
 * `worker` of each, and when it was claimed, `at`.
 */
export function claimsNoted(schema: string, claims: string): string {
  return `noted AS (
  INSERT INTO ${schema}.claims (worker, ids) SELECT worker, array_agg(id) FROM ${claims} GROUP BY worker
), announced AS (
  INSERT INTO ${schema}.events (writer, holder, claimed_at, tasks)
  SELECT $1::uuid, worker, at, '[' || string_agg(record, ',') || ']' FROM ${claims} GROUP BY worker, at
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
  DELETE FROM ${schema}.marks USING gone
  WHERE ${isMarked("gone.state")} AND marks.status = gone.state AND marks.id = gone.id
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
