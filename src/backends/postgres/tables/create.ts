/**
 * The statements that store new tasks, with and without a claim.
 *
 * @module
 */
import { ID_LENGTH } from "../../../contract/task_key.ts";
import { stateOf } from "../operating/states.ts";
import type { NewRow } from "../rows.ts";
import { type Column, inputOf, type Statement } from "./rows_in.ts";
import { alive, announced, claimsNoted, counted, isPaused, PLACE, queued } from "./parts.ts";

const COLUMNS: readonly Column<NewRow>[] = [
  ["id", "uuid", ({ record }) => record.info.id],
  ["owner", "text", ({ record }) => JSON.stringify(record.info.owner)], // PostgreSQL takes no NUL.
  ["job", "text", ({ record }) => record.info.job],
  ["state", "text", ({ record }) => stateOf(record.info)],
  ["record", "text", ({ record }) => JSON.stringify(record)],
  ["body", "text", ({ input }) => input],
  ["key", "text", ({ condition }) => condition?.names === "task" ? condition.name : null],
  ["unless", "text", ({ condition }) => condition?.names === "nothing" ? condition.name : null],
];

const QUEUED: readonly Column<NewRow>[] = [...COLUMNS, ...PLACE];

const CLAIMED: readonly Column<NewRow>[] = [...COLUMNS, ["worker", "uuid", ({ worker }) => worker]];

/** The version of a task that is claimed with its creation, as if these were two writes. */
export const STARTED = 2;

/** Those tasks are stored whose id is free and whose condition holds. */
export function creation(schema: string): Statement<NewRow> {
  const text = `
WITH ${inputOf(QUEUED, 2)}, ${named(schema)}, made AS (
  INSERT INTO ${schema}.tasks (id, owner, job, version, state, record, input)
  SELECT id, owner, job, 1, state, record, body FROM input WHERE ${conditionHolds(schema)}
  ON CONFLICT DO NOTHING RETURNING id
), written AS MATERIALIZED (
  SELECT *, 1 AS version, NULL AS was_state FROM input WHERE id IN (SELECT id FROM made)
), ${queued(schema)}, ${counted(schema)}, ${announced(schema)}
SELECT string_agg(id::text, ',') AS ids FROM written`;
  return { name: "mcp_jobs_create", text, columns: QUEUED };
}

/**
 * Creates tasks and claims them for workers of this process. A task is stored only if it may be claimed: the worker's lease
 * lasts, and the job is not paused. The locks and the checks are those of a claim, and what is stored is the same as after a
 * creation and a claim.
 */
export function start(schema: string): Statement<NewRow> {
  const text = `
WITH ${inputOf(CLAIMED, 2)}, ${named(schema)}, ${alive(schema, "name IN (SELECT worker FROM input)")}, made AS (
  INSERT INTO ${schema}.tasks (id, owner, job, version, state, record, input, holder, claimed_at)
  SELECT id, owner, job, ${STARTED}, state, record, body, worker, at FROM input JOIN alive USING (worker)
  WHERE ${conditionHolds(schema)} AND NOT ${isPaused(schema, "job")}
  ON CONFLICT DO NOTHING RETURNING id
), written AS MATERIALIZED (
  SELECT *, ${STARTED} AS version, NULL AS was_state FROM input JOIN alive USING (worker) WHERE id IN (SELECT id FROM made)
), ${claimsNoted(schema, "written")}, ${counted(schema)}
SELECT string_agg(id::text, ',') AS ids, max(at) AS at FROM written`;
  return { name: "mcp_jobs_start", text, columns: CLAIMED };
}

/** Locks the keys of the new tasks: none of them can be changed before its task is stored. */
function named(schema: string): string {
  return `named AS MATERIALIZED (
  SELECT left(named, ${ID_LENGTH}) AS task FROM ${schema}.keys
  WHERE (owner, name) IN (SELECT owner, key FROM input WHERE key IS NOT NULL) ORDER BY owner, name FOR SHARE
)`;
}

/** That the key of a row names its task, and its `unless` nothing. With `NOT EXISTS`, PostgreSQL might read all keys. */
function conditionHolds(schema: string): string {
  return `(key IS NULL OR id::text IN (SELECT task FROM named)) AND (unless IS NULL OR (
    SELECT name FROM ${schema}.keys WHERE keys.owner = input.owner AND name = unless AND expires_at > now()
  ) IS NULL)`;
}
