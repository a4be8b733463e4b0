/**
 * Deletes what has expired, a page at a time, so that no statement holds locks for long.
 *
 * @module
 */
import type { Database } from "../connecting/database.ts";
import { EVENT_TTL_MS } from "../events.ts";
import { mergeCounts } from "../operating/counts.ts";
import { goneStatements } from "./parts.ts";
import { MAX_WRITES } from "../writer.ts";

/** Deletes up to `page` rows of each kind, or as many tasks as one write may have ended. Resolves with whether there may be more. */
export async function deleteExpired(database: Database, page: number): Promise<boolean> {
  const { run, schema } = database;
  const expired = (table: string, key: string, where: string, most = page, returned = key) =>
    `DELETE FROM ${schema}.${table} WHERE (${key}) IN (SELECT ${key} FROM ${schema}.${table} WHERE ${where}
      LIMIT ${most} FOR UPDATE SKIP LOCKED) RETURNING ${returned}`;
  const groups = Math.ceil(page / MAX_WRITES);
  // A dead worker is kept for an hour, and while it may hold a task: others have to find it.
  const isForgotten = `expires_at <= now() - interval '1 hour'
    AND NOT EXISTS (SELECT FROM ${schema}.claims WHERE worker = workers.name)`;
  const statements = [
    `WITH expired AS (${expired("expiries", "seq", "expires_at <= now()", groups, "ids")}),
      gone AS (DELETE FROM ${schema}.tasks WHERE id IN (SELECT unnest(ids) FROM expired) RETURNING id, job, state),
      ${goneStatements(schema)}
      SELECT FROM expired`,
    expired("events", "seq", `at <= now() - interval '${EVENT_TTL_MS} ms'`),
    expired("streams", "stream, id", "expires_at <= now()"),
    expired("keys", "owner, name", "expires_at <= now()"),
    expired("workers", "name", isForgotten),
  ];
  let more = await mergeCounts(database);
  for (const [index, text] of statements.entries()) {
    more = (await run({ text })).length === (index === 0 ? groups : page) || more;
  }
  return more;
}
