/**
 * Deletes what has expired, a page at a time, so that no statement holds locks for long.
 *
 * @module
 */
import type { Database } from "./database.ts";
import { EVENT_TTL_MS } from "./events.ts";

/** Deletes up to `page` rows of each kind. Resolves with whether there may be more. */
export async function deleteExpired({ run, schema }: Database, page: number): Promise<boolean> {
  const expired = (table: string, key: string, where: string) =>
    `DELETE FROM ${schema}.${table} WHERE (${key}) IN (SELECT ${key} FROM ${schema}.${table} WHERE ${where}
      LIMIT ${page} FOR UPDATE SKIP LOCKED) RETURNING`;
  const statements = [
    `WITH gone AS (${expired("expiries", "expires_at, id", "expires_at <= now()")} id),
      bodies AS (DELETE FROM ${schema}.bodies WHERE id IN (SELECT id FROM gone)),
      tasks AS (DELETE FROM ${schema}.tasks WHERE id IN (SELECT id FROM gone))
      SELECT id FROM gone`,
    `${expired("events", "seq", `at <= now() - interval '${EVENT_TTL_MS} ms'`)} seq`,
    `${expired("streams", "stream, id", "expires_at <= now()")} id`,
    `${expired("keys", "owner, name", "expires_at <= now()")} name`,
    // A dead worker is kept for an hour, and while a task stands under its name: others have to find it.
    `${
      expired(
        "workers",
        "name",
        `expires_at <= now() - interval '1 hour' AND NOT EXISTS (SELECT FROM ${schema}.queue WHERE holder = workers.name)`,
      )
    } name`,
  ];
  let more = false;
  for (const text of statements) more = (await run({ text })).length === page || more;
  return more;
}
