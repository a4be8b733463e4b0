/**
 * Which tasks workers may hold.
 *
 * @module
 */

/** The `id` of each task that a worker, or any, has claimed since it last tidied up; some of them are not held any more. */
export function heldIds(schema: string, worker?: string): string {
  const whose = worker === undefined ? "worker IS NOT NULL" : `worker = ${worker}`;
  return `(SELECT DISTINCT unnest(ids) AS id FROM ${schema}.claims WHERE ${whose})`;
}
