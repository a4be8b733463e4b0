/**
 * What else is stored about tasks that are deleted.
 *
 * @module
 */
import { isMarked } from "./states.ts";

/**
 * Parts of a statement that delete what else is stored about the tasks of its part `gone`, which has `id`, `job` and
 * `state`.
 */
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
