/**
 * Group commit: writes that are made at the same moment become one statement, and share one wait for the disk. `record.ts`
 * decides what becomes of a task; the statement only checks that the task has not changed since it was read.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import { ID_LENGTH } from "../shared/store/keys.ts";
import { MOST_BYTES, MOST_LINES } from "../../task_log/newest_lines.ts";
import { batched } from "../shared/batch.ts";
import { mayBeReady } from "../shared/store/hub.ts";
import { type Database, isAway } from "./database.ts";
import type { Query } from "./pg.ts";
import { writtenStatements } from "./operating/written.ts";
import { columnsOf, logColumnsOf, type Write } from "./rows.ts";

/** The most writes of one statement, statements under way at once, and text of all of these, in UTF-16 units. */
export const MOST_WRITES = 100;
const AT_ONCE = 2;
const MOST_TEXT = 32 * 1024 * 1024;

/** Tasks that end within so many ms and expire within as many of each other are deleted together. */
const EXPIRY_STEP_MS = 60_000;

/** Receives changes that are stored. `told`: the other processes have been notified already. */
export type Written = (tasks: readonly TaskInfo[], told: boolean) => void;

/** Announces writes. */
export interface Announcer {
  /**
   * Returns the statement that notifies the other processes, also of what was to be told a little later; `ready`: a task may
   * be ready to run.
   */
  notification(ready: boolean): Query;
  /** A write has failed that may have been made even so, with its notification or without. */
  unsure(): void;
}

/** Writes for one process. */
export class Writer {
  /**
   * Resolves with whether the write was made; it was not if the task has changed since it was read. Rejects with
   * `BackendError` while the database fails; the write may have been made even so.
   */
  readonly write: (write: Write) => Promise<boolean>;
  /** The name under which this process writes events. */
  readonly name: string;
  /** Called with what a statement has changed, once it is stored. */
  readonly written: Written;

  constructor({ schema, run }: Pick<Database, "schema" | "run">, name: string, written: Written, log: Announcer) {
    this.name = name;
    this.written = written;
    const plain = { name: "mcp_jobs_write", text: writeStatement(schema, false) };
    const logging = { name: "mcp_jobs_write_log", text: writeStatement(schema, true) };
    const many = async (writes: readonly Write[]) => {
      // Of two changes of one task that was read at the same version, the first one counts.
      const first = new Map(writes.map((write) => [write.record.info.id, write] as const).reverse());
      // In the order of their ids, so that no two statements wait for each other.
      const sorted = [...first.values()].sort((a, b) => a.record.info.id < b.record.info.id ? -1 : 1);
      const logs = sorted.some(({ lines = [] }) => lines.length > 0);
      const ready = sorted.some(({ record }) => mayBeReady(record.info));
      const values = [...columnsOf(sorted), this.name, ...logs ? logColumnsOf(sorted) : []];
      const writing = run<{ ids: string | null }>(logs ? logging : plain, values, log.notification(ready));
      const [row] = await writing.catch((error) => {
        log.unsure();
        throw error;
      });
      const ids = new Set(row?.ids?.split(","));
      const done = writes.map((write) => first.get(write.record.info.id) === write && ids.has(write.record.info.id));
      if (ids.size > 0) written(writes.filter((_, index) => done[index]).map(({ record }) => record.info), true);
      return done;
    };
    const travel = { atOnce: AT_ONCE, enough: MOST_WRITES / 4, maxSize: MOST_TEXT, isFatal: isAway };
    this.write = batched(many, MOST_WRITES, travel, ({ body = "" }) => body.length);
  }
}

/**
 * Changes tasks, and then what other tables have about them. A row of the queue that another statement has locked is skipped:
 * that statement claims tasks, and deletes outdated rows itself. The parts for logs are included only if `logs` is set.
 */
function writeStatement(schema: string, logs: boolean): string {
  return `
WITH input AS (
  SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::float8[],
    $8::float8[], $9::boolean[], $10::float8[], $11::float8[], $12::text[], $13::float8[], $14::text[], $15::text[],
    $16::text[]${logs ? ", $18::text[], $19::integer[], $20::integer[]" : ""})
  AS input (id, version, owner, record, holder, job, priority, due_at, delayed, was_priority, was_due_at, body,
    expires_at, key, state, was_state${logs ? ", log, log_lines, log_bytes" : ""})
), named AS MATERIALIZED (
  SELECT left(named, ${ID_LENGTH})::uuid AS task FROM ${schema}.keys
  WHERE (owner, name) IN (SELECT owner, key FROM input WHERE key IS NOT NULL) ORDER BY owner, name FOR SHARE
), made AS (
  INSERT INTO ${schema}.tasks (id, owner, job, version, state, record, input)
  SELECT id, owner, job, 1, state, record, body FROM input WHERE version = 0 AND (key IS NULL OR id IN (SELECT task FROM named))
  ON CONFLICT DO NOTHING RETURNING id
), changed AS (
  UPDATE ${schema}.tasks
  SET version = tasks.version + 1, state = input.state, record = input.record, holder = input.holder, claimed_at = NULL, outcome = body
  FROM input WHERE input.version > 0 AND tasks.id = input.id AND tasks.version = input.version
  RETURNING input.*
), written AS (
  SELECT * FROM changed UNION ALL
  SELECT * FROM input WHERE version = 0 AND (id IN (SELECT id FROM made)) IS TRUE
), queued AS (
  INSERT INTO ${schema}.queue (job, delayed, priority, due_at, id, version)
  SELECT job, delayed, priority, to_timestamp(due_at / 1000), id, version + 1 FROM written WHERE due_at IS NOT NULL
), outdated AS (
  SELECT queue.ctid AS place FROM written, ${schema}.queue
  WHERE was_due_at IS NOT NULL AND queue.job = written.job AND queue.delayed = ANY('{false,true}'::boolean[])
    AND queue.priority = written.was_priority AND queue.due_at = to_timestamp(was_due_at / 1000) AND queue.id = written.id
  FOR UPDATE OF queue SKIP LOCKED
), gone AS (
  DELETE FROM ${schema}.queue WHERE ctid = ANY(ARRAY(SELECT place FROM outdated))
), forgotten AS (
  DELETE FROM ${schema}.steps USING written WHERE steps.id = written.id AND expires_at IS NOT NULL
), expiring AS (
  INSERT INTO ${schema}.expiries (expires_at, ids)
  SELECT to_timestamp(max(expires_at) / 1000), array_agg(id) FROM written WHERE expires_at IS NOT NULL
  GROUP BY floor(expires_at / ${EXPIRY_STEP_MS})
), ${writtenStatements(schema)}, ${logs ? logParts(schema) : ""}told AS (
  INSERT INTO ${schema}.events (writer, tasks)
  SELECT $17::uuid, '[' || string_agg(record, ',') || ']' FROM written HAVING count(*) > 0
)
SELECT string_agg(id::text, ',') AS ids FROM written`;
}

/**
 * The parts that add to logs, one row for each write. Older rows are deleted once as many lines as a
 * task keeps come after them.
 */
function logParts(schema: string): string {
  return `logged AS (
  INSERT INTO ${schema}.logs (id, version, lines, size, body)
  SELECT id, version + 1, log_lines, log_bytes, log FROM written WHERE log IS NOT NULL
), dropped AS (
  DELETE FROM ${schema}.logs WHERE (id, version) IN (
    SELECT id, version FROM (
      SELECT id, version, sum(lines) OVER newer AS lines, sum(size) OVER newer AS size FROM ${schema}.logs
      WHERE id = ANY($1::uuid[])
      WINDOW newer AS (PARTITION BY id ORDER BY version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ) AS kept WHERE lines >= ${MOST_LINES} OR size >= ${MOST_BYTES}
  )
), `;
}
