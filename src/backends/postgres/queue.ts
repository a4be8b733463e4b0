/**
 * The tasks in PostgreSQL that wait for one worker. What is found is taken in the same statement, so that no other worker
 * finds it: its row in the queue names the worker. Its record does so once the task is claimed.
 *
 * @module
 */
import type { Queue, ReadyTasks, Worker } from "../shared/store/store.ts";
import type { Database, Statement } from "./database.ts";
import { entryOf, type PgEntry, type TaskRow } from "./rows.ts";

/** The most delayed tasks that are made ready at once. */
const MOST_PROMOTED = 100;

/** Inputs up to this size come with the task, in bytes; larger ones are read one by one. */
const SMALL_INPUT = 65_536;

interface ReadyRow extends TaskRow {
  /** The input, unless it is large. */
  readonly input: string | null;
}

/** Finds tasks for one worker. */
export class PgQueue implements Queue<PgEntry> {
  readonly #run: Database["run"];
  readonly #worker: Worker;
  readonly #ready: Statement;
  readonly #promote: Statement;
  readonly putBack: (entry: PgEntry) => Promise<void>;

  /** `putBack` puts back a task that was taken, but not claimed. */
  constructor({ run, schema }: Database, worker: Worker, putBack: (entry: PgEntry) => Promise<void>) {
    this.#run = run;
    this.#worker = worker;
    this.putBack = putBack;
    this.#ready = { name: "mcp_jobs_ready", text: readyStatement(schema) };
    this.#promote = { name: "mcp_jobs_promote", text: promoteStatement(schema) };
  }

  async promote(): Promise<number | undefined> {
    const [row] = await this.#run<{ due: number | null }>(this.#promote);
    return row?.due ?? undefined;
  }

  async ready(max: number): Promise<ReadyTasks<PgEntry>> {
    const { name, jobs } = this.#worker;
    const rows = await this.#run<ReadyRow>(this.#ready, [name, jobs, max]);
    const entries = rows.map(({ input, ...row }) => ({ ...entryOf(row), input: input ?? undefined }));
    return { entries, more: rows.length === max };
  }
}

/** Takes what is ready, of all jobs together the most urgent first, unless the worker's lease has run out. */
function readyStatement(schema: string): string {
  return `
WITH alive AS MATERIALIZED (
  SELECT name FROM ${schema}.workers WHERE name = $1::uuid AND expires_at > now() FOR SHARE
), found AS MATERIALIZED (
  SELECT ready.id, ready.priority, ready.due_at FROM unnest($2::text[]) AS name, alive, LATERAL (
    SELECT id, priority, due_at FROM ${schema}.queue WHERE job = name.name AND holder IS NULL AND NOT delayed
    ORDER BY priority, due_at, id LIMIT $3::integer FOR UPDATE SKIP LOCKED
  ) AS ready ORDER BY ready.priority, ready.due_at, ready.id LIMIT $3::integer
), taken AS (
  UPDATE ${schema}.queue SET holder = $1::uuid FROM found WHERE queue.id = found.id
  RETURNING queue.id, queue.priority, queue.due_at
)
SELECT tasks.id, version, info, rest, CASE WHEN octet_length(body) <= ${SMALL_INPUT} THEN body END AS input
FROM taken JOIN ${schema}.tasks USING (id) LEFT JOIN ${schema}.bodies ON bodies.id = tasks.id AND kind = 'i'
ORDER BY priority, due_at, tasks.id`;
}

/** Makes ready what is due, and tells when the next one is. */
function promoteStatement(schema: string): string {
  return `
WITH due AS (
  SELECT id FROM ${schema}.queue WHERE delayed AND due_at <= now()
  ORDER BY due_at LIMIT ${MOST_PROMOTED} FOR UPDATE SKIP LOCKED
), ready AS (
  UPDATE ${schema}.queue SET delayed = false FROM due WHERE queue.id = due.id RETURNING queue.id
)
SELECT (extract(epoch FROM min(due_at)) * 1000)::float8 AS due FROM ${schema}.queue
WHERE delayed AND id NOT IN (SELECT id FROM ready)`;
}
