/**
 * Which tasks workers may hold.
 *
 * @module
 */
import { FIRST_ID } from "../rows.ts";

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
