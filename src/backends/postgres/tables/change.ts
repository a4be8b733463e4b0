/**
 * The statement that changes tasks, together with their rows in other tables.
 *
 * @module
 */
import { urgencyOf } from "../../shared/record.ts";
import { MAX_BYTES, MAX_LINES, sizeOf } from "../../../task_log/newest_lines.ts";
import { isMarked, isMarkedState, stateOf, statusIn } from "../operating/states.ts";
import { type Change, deletedAt, dueOf } from "../rows.ts";
import { type Column, inputOf, type Statement } from "./rows_in.ts";
import { announced, counted, PLACE, queued } from "./parts.ts";

/** Tasks that end within so many ms and expire within as many of each other are deleted together. */
const EXPIRY_STEP_MS = 60_000;

const COLUMNS: readonly Column<Change>[] = [
  ["id", "uuid", ({ record }) => record.info.id],
  ["read_version", "integer", ({ before }) => before.version],
  ["state", "text", ({ record }) => stateOf(record.info)],
  ["was_state", "text", ({ before }) => before.state],
  ["record", "text", ({ record }) => JSON.stringify(record)],
  ["holder", "uuid", ({ record }) => record.holder],
  ["outcome", "text", ({ outcome }) => outcome],
  ["expires_at", "float8", ({ record }) => deletedAt(record.info)],
];

const ALL: readonly Column<Change>[] = [
  ...COLUMNS,
  ...PLACE,
  ["was_priority", "float8", ({ before }) => urgencyOf(before.record)],
  ["was_due_at", "float8", ({ before }) => dueOf(before.record)],
  ["log", "text", ({ lines = [] }) => lines.length === 0 ? null : JSON.stringify(lines)],
  ["log_lines", "integer", ({ lines = [] }) => lines.length],
  ["log_bytes", "integer", ({ lines = [] }) => lines.reduce((sum, line) => sum + sizeOf(line), 0)],
];

/**
 * The statement for some changes: those tasks are changed that still have the version that was read. Most changes touch
 * neither the queue nor marks nor logs; a statement that leaves these out takes half the time.
 */
export function changes(schema: string): (rows: readonly Change[]) => Statement<Change> {
  const plain = { name: "mcp_jobs_change", text: changeStatement(schema, COLUMNS), columns: COLUMNS };
  const all = { name: "mcp_jobs_change_all", text: changeStatement(schema, ALL, otherParts(schema)), columns: ALL };
  return (rows) => rows.every(isPlain) ? plain : all;
}

function isPlain({ record, before, lines = [] }: Change): boolean {
  return lines.length === 0 &&
    [record, before.record].every((one) => dueOf(one) === undefined) &&
    ![stateOf(record.info), before.state].some(isMarkedState);
}

function changeStatement(schema: string, columns: readonly Column<Change>[], others: string = ""): string {
  return `
WITH ${inputOf(columns, 2)}, written AS (
  UPDATE ${schema}.tasks
  SET version = version + 1, state = input.state, record = input.record, holder = input.holder, claimed_at = NULL,
    outcome = input.outcome
  FROM input WHERE tasks.id = input.id AND version = read_version
  RETURNING input.*, version, job
), forgotten AS (
  DELETE FROM ${schema}.steps USING written WHERE steps.id = written.id AND expires_at IS NOT NULL
), expiring AS (
  INSERT INTO ${schema}.expiries (expires_at, ids)
  SELECT to_timestamp(max(expires_at) / 1000), array_agg(id) FROM written WHERE expires_at IS NOT NULL
  GROUP BY floor(expires_at / ${EXPIRY_STEP_MS})
), ${others}${counted(schema)}, ${announced(schema)}
SELECT string_agg(id::text, ',') AS ids FROM written`;
}

/**
 * The parts for the queue, marks and logs. A row of the queue that another statement has locked is skipped: that statement
 * claims tasks, and deletes outdated rows itself. A log has one row for each write; older rows are deleted once as many
 * lines as a task keeps come after them.
 */
function otherParts(schema: string): string {
  const [status, wasStatus] = [statusIn("state"), statusIn("was_state")];
  return `${queued(schema)}, outdated AS (
  SELECT queue.ctid AS place FROM written, ${schema}.queue
  WHERE was_due_at IS NOT NULL AND queue.job = written.job AND queue.delayed = ANY('{false,true}'::boolean[])
    AND queue.priority = written.was_priority AND queue.due_at = to_timestamp(was_due_at / 1000) AND queue.id = written.id
  FOR UPDATE OF queue SKIP LOCKED
), gone AS (
  DELETE FROM ${schema}.queue WHERE ctid = ANY(ARRAY(SELECT place FROM outdated))
), unmarked AS (
  DELETE FROM ${schema}.marks USING written
  WHERE ${isMarked("was_state")} AND marks.status = ${wasStatus} AND marks.id = written.id AND ${wasStatus} <> ${status}
), marked AS (
  INSERT INTO ${schema}.marks SELECT ${status}, id FROM written WHERE ${isMarked("state")} AND ${status} <> ${wasStatus}
), logged AS (
  INSERT INTO ${schema}.logs (id, version, lines, size, body)
  SELECT id, version, log_lines, log_bytes, log FROM written WHERE log IS NOT NULL
), dropped AS (
  DELETE FROM ${schema}.logs WHERE (id, version) IN (
    SELECT id, version FROM (
      SELECT id, version, sum(lines) OVER newer AS lines, sum(size) OVER newer AS size FROM ${schema}.logs
      WHERE id IN (SELECT id FROM input WHERE log IS NOT NULL)
      WINDOW newer AS (PARTITION BY id ORDER BY version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ) AS kept WHERE lines >= ${MAX_LINES} OR size >= ${MAX_BYTES}
  )
), `;
}
