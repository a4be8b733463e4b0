/**
 * Which tasks workers may hold.
 *
 * @module
 */

/**
 * Selects the `id` of each task that a worker (or any worker) has claimed since its rows were last merged; some are not held
 * any more.
 */
export function heldIds(schema: string, worker?: string): string {
  const whose = worker === undefined ? "worker IS NOT NULL" : `worker = ${worker}`;
  return `(SELECT DISTINCT unnest(ids) AS id FROM ${schema}.claims WHERE ${whose})`;
}
