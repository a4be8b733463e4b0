/**
 * Parts of the statements that write tasks: what they write beside the tasks of their part `written`, which has `id`, `job`,
 * `version`, `state`, `was_state` (of a new task: NULL) and `record`.
 *
 * @module
 */

/** Queues the tasks that wait; `written` also has `priority`, `due_at` and `delayed`. */
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
