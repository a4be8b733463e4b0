/**
 * Deletes finished tasks before they expire.
 *
 * @module
 */
import { CLOCKS_DIFFER_MS, firstIdOf } from "../../../ids.ts";
import type { Purged, PurgedPage } from "../../../operator/primitives.ts";
import type { Database } from "../connecting/database.ts";
import { goneStatements } from "../tables/parts.ts";
import { MARKED } from "./states.ts";

/** The most tasks that one page reads. */
const PAGE = 1_000;

interface PageRow {
  readonly found: number;
  readonly deleted: number;
  /** The last id of the page. */
  readonly last: string | null;
}

/** Deletes one page: of the marked ones of a status, or else of all that were created before the time. */
export async function purgePage(
  { run, schema }: Database,
  { status, before }: Purged,
  cursor: string = firstIdOf(0),
): Promise<PurgedPage> {
  const marked = MARKED.includes(status);
  const source = marked ? `${schema}.marks WHERE status = $1` : `${schema}.tasks WHERE $1::text IS NOT NULL`;
  // The end of a finished record; quotes in its messages are escaped, so they cannot match.
  const finishedAt = `substring(record FROM '"finishedAt":([0-9.e+]+)')::float8`;
  const [row] = await run<PageRow>({
    name: `mcp_jobs_purge_${marked ? "marked" : "all"}`,
    text: `
WITH found AS MATERIALIZED (
  SELECT id FROM ${source} AND id > $3::uuid AND id < $4::uuid ORDER BY id LIMIT ${PAGE}
), gone AS (
  DELETE FROM ${schema}.tasks WHERE id = ANY(ARRAY(SELECT id FROM found)) AND state = $1 AND ${finishedAt} < $2::float8
  RETURNING id, job, state
), ${goneStatements(schema)}
SELECT (SELECT count(*)::integer FROM found) AS found, (SELECT count(*)::integer FROM gone) AS deleted,
  (SELECT id FROM found ORDER BY id DESC LIMIT 1) AS last`,
  }, [status, before, cursor, firstIdOf(before + CLOCKS_DIFFER_MS)]);
  const next = row?.found === PAGE ? row.last ?? undefined : undefined;
  return { deleted: row?.deleted ?? 0, next };
}
