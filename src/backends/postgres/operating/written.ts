/**
 * What a statement that writes tasks also writes for operators.
 *
 * @module
 */
import { isMarked, statusIn } from "./states.ts";

/**
 * Parts of a statement that count and mark the tasks of its part `written`, which has `id`, `job`, `state` and,
 * except for new tasks, `was_state`.
 */
export function writtenStatements(schema: string): string {
  return `counted AS (
  INSERT INTO ${schema}.counts (job, state, tasks)
  SELECT job, state, sum(change) FROM (
    SELECT job, state, 1 AS change FROM written UNION ALL
    SELECT job, was_state, -1 FROM written WHERE was_state IS NOT NULL
  ) AS changes GROUP BY job, state HAVING sum(change) <> 0
), unmarked AS (
  DELETE FROM ${schema}.marks USING written
  WHERE ${isMarked("was_state")} AND marks.status = ${statusIn("was_state")} AND marks.id = written.id
    AND ${statusIn("was_state")} <> ${statusIn("written.state")}
), marked AS (
  INSERT INTO ${schema}.marks SELECT ${statusIn("state")}, id FROM written
  WHERE ${isMarked("state")} AND ${statusIn("state")} IS DISTINCT FROM ${statusIn("was_state")}
)`;
}
