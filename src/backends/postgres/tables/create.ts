/**
 * The statement that stores new tasks.
 *
 * @module
 */
import { ID_LENGTH } from "../../shared/store/keys.ts";
import { urgencyOf } from "../../shared/record.ts";
import { stateOf } from "../operating/states.ts";
import type { Query } from "../pg.ts";
import { dueOf, isDelayed, type NewRow } from "../rows.ts";
import { arraysOf, type Column, inputOf } from "./rows_in.ts";
import { announced, counted, queued } from "./written.ts";

const COLUMNS: readonly Column<NewRow>[] = [
  ["id", "uuid", ({ record }) => record.info.id],
  ["owner", "text", ({ record }) => JSON.stringify(record.info.owner)], // PostgreSQL takes no NUL.
  ["job", "text", ({ record }) => record.info.job],
  ["state", "text", ({ record }) => stateOf(record.info)],
  ["record", "text", ({ record }) => JSON.stringify(record)],
  ["body", "text", ({ input }) => input],
  ["priority", "float8", ({ record }) => urgencyOf(record)],
  ["due_at", "float8", ({ record }) => dueOf(record)],
  ["delayed", "boolean", ({ record }) => isDelayed(record)],
];

const KEYED: readonly Column<NewRow>[] = [...COLUMNS, ["key", "text", ({ key }) => key]];

/** Prepares the statement. Those tasks are stored whose id is free and, if they have a key, whose key names them. */
export function creations(schema: string): (rows: readonly NewRow[], writer: string) => Query {
  const plain = { name: "mcp_jobs_create", text: createStatement(schema, COLUMNS) };
  const keyed = { name: "mcp_jobs_create_keyed", text: createStatement(schema, KEYED, keyParts(schema)) };
  return (rows, writer) => {
    const [query, columns] = rows.some(({ key }) => key !== undefined) ? [keyed, KEYED] : [plain, COLUMNS];
    return { ...query, values: [writer, ...arraysOf(columns, rows)] };
  };
}

function createStatement(
  schema: string,
  columns: readonly Column<NewRow>[],
  { named = "", where = "" }: { readonly named?: string; readonly where?: string } = {},
): string {
  return `
WITH ${inputOf(columns, 2)}, ${named}made AS (
  INSERT INTO ${schema}.tasks (id, owner, job, version, state, record, input)
  SELECT id, owner, job, 1, state, record, body FROM input ${where}
  ON CONFLICT DO NOTHING RETURNING id
), written AS MATERIALIZED (
  SELECT *, 1 AS version, NULL AS was_state FROM input WHERE id IN (SELECT id FROM made)
), ${queued(schema)}, ${counted(schema)}, ${announced(schema)}
SELECT string_agg(id::text, ',') AS ids FROM written`;
}

/** Locks the keys, so that none of them names another task before this one is stored. */
function keyParts(schema: string): { readonly named: string; readonly where: string } {
  return {
    named: `named AS MATERIALIZED (
  SELECT left(named, ${ID_LENGTH})::uuid AS task FROM ${schema}.keys
  WHERE (owner, name) IN (SELECT owner, key FROM input WHERE key IS NOT NULL) ORDER BY owner, name FOR SHARE
), `,
    where: "WHERE key IS NULL OR id IN (SELECT task FROM named)",
  };
}
