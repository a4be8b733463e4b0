/**
 * Group commit: writes that are made at the same moment become one statement, and share one wait for the disk. `record.ts`
 * decides what becomes of a task; the statement only checks that the task has not changed since it was read.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import { ID_LENGTH } from "../shared/store/keys.ts";
import { batched } from "../shared/batch.ts";
import type { Database } from "./database.ts";
import { columnsOf, Place, type Write } from "./rows.ts";

/** The most writes of one statement, statements under way at once, and text of all of these, in UTF-16 units. */
const MOST_WRITES = 100;
const AT_ONCE = 2;
const MOST_TEXT = 32 * 1024 * 1024;

/** Writes for one process. */
export class Writer {
  /**
   * Resolves with whether the write was made; it was not if the task has changed since it was read. Rejects with
   * `BackendError` while the database fails; the write may have been made even so.
   */
  readonly write: (write: Write) => Promise<boolean>;
  /** The name under which this process writes events. */
  readonly name: string;

  /** `onWritten` is called with the changes of each statement, once they are stored. */
  constructor({ schema, run }: Database, name: string, onWritten: (tasks: readonly TaskInfo[]) => void) {
    this.name = name;
    const sql = { name: "mcp_jobs_write", text: statement(schema) };
    const many = async (writes: readonly Write[]) => {
      // Of two changes of one task that was read at the same version, the first one counts.
      const first = new Map(writes.map((write) => [write.record.info.id, write] as const).reverse());
      // In the order of their ids, so that no two statements wait for each other.
      const sorted = [...first.values()].sort((a, b) => a.record.info.id < b.record.info.id ? -1 : 1);
      const rows = await run<{ id: string }>(sql, [...columnsOf(sorted), this.name]);
      const ids = new Set(rows.map(({ id }) => id));
      const done = writes.map((write) => first.get(write.record.info.id) === write && ids.has(write.record.info.id));
      if (ids.size > 0) onWritten(writes.filter((_, index) => done[index]).map(({ record }) => record.info));
      return done;
    };
    const travel = { atOnce: AT_ONCE, enough: MOST_WRITES / 4, maxSize: MOST_TEXT };
    this.write = batched(many, MOST_WRITES, travel, ({ body = "" }) => body.length);
  }
}

/** Changes a task first, and its place in the queue only if nobody was faster. */
function statement(schema: string): string {
  return `
WITH input AS (
  SELECT * FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::text[],
    $8::float8[], $9::float8[], $10::boolean[], $11::uuid[], $12::"char"[], $13::text[], $14::float8[], $15::text[])
  AS input (id, version, owner, info, rest, place, job, priority, due_at, delayed, holder, kind, body, expires_at, key)
), named AS MATERIALIZED (
  SELECT left(named, ${ID_LENGTH})::uuid AS task FROM ${schema}.keys WHERE (owner, name) IN (SELECT owner, key FROM input WHERE key IS NOT NULL)
  ORDER BY owner, name FOR SHARE
), made AS (
  INSERT INTO ${schema}.tasks (id, owner, version, info, rest)
  SELECT id, owner, 1, info, rest FROM input WHERE version = 0 AND (key IS NULL OR id IN (SELECT task FROM named))
  ON CONFLICT DO NOTHING RETURNING id
), changed AS (
  UPDATE ${schema}.tasks SET version = tasks.version + 1, info = input.info, rest = input.rest FROM input
  WHERE tasks.id = input.id AND tasks.version = input.version
  RETURNING input.*
), written AS (
  SELECT * FROM changed UNION ALL
  SELECT * FROM input WHERE version = 0 AND (id IN (SELECT id FROM made)) IS TRUE
), queued AS (
  INSERT INTO ${schema}.queue (id, job, priority, due_at, delayed, holder)
  SELECT id, job, priority, to_timestamp(due_at / 1000), delayed, holder FROM written WHERE version = 0
), moved AS (
  UPDATE ${schema}.queue
  SET due_at = to_timestamp(written.due_at / 1000), delayed = written.delayed, holder = written.holder FROM written
  WHERE queue.id = written.id AND written.version > 0 AND place = ${Place.QUEUED}
), gone AS (
  DELETE FROM ${schema}.queue USING written WHERE queue.id = written.id AND place = ${Place.GONE}
), kept AS (
  INSERT INTO ${schema}.bodies (id, kind, body) SELECT id, kind, body FROM written WHERE body IS NOT NULL
), expiring AS (
  INSERT INTO ${schema}.expiries (expires_at, id)
  SELECT to_timestamp(expires_at / 1000), id FROM written WHERE expires_at IS NOT NULL
), told AS (
  INSERT INTO ${schema}.events (writer, tasks)
  SELECT $16::uuid, '[' || string_agg(info, ',') || ']' FROM written HAVING count(*) > 0
)
SELECT id FROM written`;
}
