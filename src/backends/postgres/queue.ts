/**
 * The tasks in PostgreSQL that wait for one worker. What is found is claimed in the same statement: it stores who has
 * claimed the tasks and when, and `record.ts` makes the rest of it wherever they are read.
 *
 * @module
 */
import type { Json, TaskInfo } from "../../task.ts";
import type { TaskRecord } from "../shared/record.ts";
import type { Queue, ReadyTasks, Worker } from "../shared/store/store.ts";
import type { Database } from "./database.ts";
import { stateOf } from "./operating/states.ts";
import { type PgEntry, recordOf } from "./rows.ts";
import type { Writer } from "./writer.ts";

/** The most delayed tasks that are made ready at once. */
const MOST_PROMOTED = 100;

/** Inputs up to this size come with the task, in bytes; larger ones are read one by one. */
const SMALL_INPUT = 65_536;

/** What a claim returns: how many places of the queue it has taken, when, and the tasks in order, as JSON. */
interface ClaimRow {
  readonly found: number;
  readonly at: number;
  readonly tasks: string | null;
}

/** A claimed task: its version, its record from before the claim, and its input unless that is large. */
type Claimed = readonly [version: number, record: TaskRecord, input?: Json];

/** Claims tasks for one worker. */
export class PgQueue implements Queue<PgEntry> {
  readonly #database: Database;
  readonly #writer: Writer;
  readonly #worker: Worker;

  constructor(database: Database, writer: Writer, worker: Worker) {
    this.#database = database;
    this.#writer = writer;
    this.#worker = worker;
  }

  async promote(): Promise<number | undefined> {
    const { schema, run } = this.#database;
    const [row] = await run<{ due: number | null }>({ name: "mcp_jobs_promote", text: promoteStatement(schema) });
    return row?.due ?? undefined;
  }

  async ready(max: number, _held: readonly TaskInfo[], jobs: readonly string[]): Promise<ReadyTasks<PgEntry>> {
    const { schema, run } = this.#database;
    const { name } = this.#worker;
    const statement = { name: "mcp_jobs_claim", text: claimStatement(schema) };
    const [row] = await run<ClaimRow>(statement, [name, jobs, max, this.#writer.name]);
    if (row === undefined) return { entries: [], more: false };
    const tasks: readonly Claimed[] = JSON.parse(row.tasks ?? "[]");
    const entries = tasks.map(([version, record, input]) => ({
      version,
      state: stateOf(record.info),
      record: recordOf(record, name, row.at),
      input,
    }));
    if (entries.length > 0) this.#writer.written(entries.map(({ record }) => record.info), true);
    return { entries, more: row.found === max };
  }
}

/**
 * Claims what is ready, of all jobs together the most urgent first, unless the worker's lease has run out. A task that has
 * changed since it was queued only leaves the queue.
 */
function claimStatement(schema: string): string {
  return `
WITH alive AS MATERIALIZED (
  SELECT floor(extract(epoch FROM now()) * 1000)::float8 AS at FROM ${schema}.workers
  WHERE name = $1::uuid AND expires_at > now() FOR SHARE
), found AS MATERIALIZED (
  SELECT ready.*, at FROM unnest($2::text[]) AS name, alive, LATERAL (
    SELECT ctid AS place, priority, due_at, id, version FROM ${schema}.queue WHERE job = name.name AND NOT delayed
    ORDER BY priority, due_at, id LIMIT $3::integer FOR UPDATE SKIP LOCKED
  ) AS ready ORDER BY priority, due_at, id LIMIT $3::integer
), gone AS (
  DELETE FROM ${schema}.queue WHERE ctid = ANY(ARRAY(SELECT place FROM found))
), taken AS (
  UPDATE ${schema}.tasks SET version = tasks.version + 1, holder = $1::uuid, claimed_at = at
  FROM (SELECT * FROM found ORDER BY id) AS found WHERE tasks.id = found.id AND tasks.version = found.version
  RETURNING tasks.id, tasks.version, record, priority, due_at,
    CASE WHEN octet_length(input) <= ${SMALL_INPUT} THEN ',' || input ELSE '' END AS input
), noted AS (
  INSERT INTO ${schema}.claims (worker, ids) SELECT $1::uuid, array_agg(id) FROM taken HAVING count(*) > 0
), told AS (
  INSERT INTO ${schema}.events (writer, holder, claimed_at, tasks)
  SELECT $4::uuid, $1::uuid, (SELECT at FROM alive), '[' || string_agg(record, ',') || ']' FROM taken HAVING count(*) > 0
)
SELECT (SELECT count(*)::integer FROM found) AS found, at, '[' || (
  SELECT string_agg('[' || version || ',' || record || input || ']', ',' ORDER BY priority, due_at, id) FROM taken
) || ']' AS tasks FROM alive`;
}

/** Makes ready what is due, and tells when the next one is. */
function promoteStatement(schema: string): string {
  return `
WITH due AS MATERIALIZED (
  SELECT ctid AS place FROM ${schema}.queue WHERE delayed AND due_at <= now()
  ORDER BY due_at LIMIT ${MOST_PROMOTED} FOR UPDATE SKIP LOCKED
), ready AS (
  UPDATE ${schema}.queue SET delayed = false WHERE ctid = ANY(ARRAY(SELECT place FROM due))
)
SELECT (extract(epoch FROM min(due_at)) * 1000)::float8 AS due FROM ${schema}.queue
WHERE delayed AND NOT ctid = ANY(ARRAY(SELECT place FROM due))`;
}
