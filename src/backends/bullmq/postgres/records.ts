/**
 * The records on PostgreSQL: a table beside BullMQ's own. What has to be atomic is done in `postgres_schema.ts`.
 *
 * @module
 */
import type { Job, PgPool, Queue } from "bullmq";
import type { NewTask } from "../../../backend.ts";
import type { Answer, Json, Question } from "../../../task.ts";
import { EXPIRED_TOLD_MS } from "../../shared/record.ts";
import { batched, type Travel } from "../../shared/batch.ts";
import type { Deadline } from "../deadline.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Cancelled, Records, Wanted } from "../database.ts";

/** The most tasks that are read together. */
const MAX_READS = 500;

/** How many tasks are stored at once, each on a connection of its own: fewer than there are, so that reads find one. */
const STORED_AT_ONCE = 8;

/** How long a call waits for its turn while PostgreSQL is busy, in ms. */
const PATIENCE_MS = 5_000;

/** A task on its way into the store. */
interface Stored {
  readonly job: Job;
  readonly queue: string;
  readonly task: NewTask;
  readonly size: number;
}

/** BullMQ's own way to put a job into its queue, in the transaction that stores the record. */
const CREATE = `
WITH known AS (SELECT mcp_jobs_know($2)),
stored AS (
  INSERT INTO mcp_jobs_task (id, queue, job, owner, ttl, created_at, attempts, delayed, input, look_at)
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM known
  RETURNING id
)
SELECT add_job($2, id, $11, $12::jsonb, $13::jsonb, $14, $15, $6, $7::integer,
  NULL, NULL, NULL, NULL, NULL, false) FROM stored`;

/** Our records on PostgreSQL. */
export class PostgresRecords implements Records {
  /** What stands in a job is stored as jsonb, which keeps neither the order of keys nor every character. */
  readonly maxInline = 0;
  readonly #read: (wanted: Wanted) => Promise<Snapshot | undefined>;
  readonly #store: (stored: Stored) => Promise<unknown>;
  readonly #pool: PgPool;
  readonly #queue: (name: string) => Promise<Queue>;
  #asked: Promise<unknown> = Promise.resolve();

  /** `queue` opens BullMQ's queues, `answers` says how long answers may take. */
  constructor(pool: PgPool, queue: (name: string) => Promise<Queue>, answers: Deadline) {
    this.#pool = pool;
    this.#queue = queue;
    const travel: Travel = { inTime: (answer, size) => answers.meet(answer, size), patience: PATIENCE_MS };
    this.#read = batched((wanted) => this.#readMany(wanted), MAX_READS, travel);
    const many = (tasks: readonly Stored[]) => Promise.all(tasks.map((stored) => this.#storeOne(stored)));
    this.#store = batched(many, 1, { ...travel, atOnce: STORED_AT_ONCE }, ({ size }) => size);
  }

  read(id: string, owner: string = ""): Promise<Snapshot | undefined> {
    return this.#read({ id, owner });
  }

  async create(job: Job, queue: string, task: NewTask, size: number): Promise<number> {
    await this.#store({ job, queue, task, size });
    return job.timestamp;
  }

  async #storeOne({ job, queue, task }: Stored): Promise<void> {
    const { timestamp, opts } = job;
    const look = timestamp + (task.delay ?? 0) + task.resultTtl;
    const { attempts } = task.retry;
    const text = JSON.stringify(task.input);
    const delay = task.delay ?? 0;
    const record = [task.id, queue, task.job, task.owner, task.resultTtl, timestamp, attempts];
    const rest = [delay > 0, text, look];
    await this.#rows(CREATE, ...record, ...rest, job.name, storable(text), JSON.stringify(opts), job.priority, delay);
  }

  async queues(): Promise<readonly string[]> {
    return (await this.#rows<{ name: string }>("SELECT name FROM mcp_jobs_queue")).map(({ name }) => name);
  }

  async input(job: Job): Promise<Json> {
    const [row] = await this.#rows<{ input: string }>("SELECT input FROM mcp_jobs_task WHERE id = $1", job.id ?? "");
    return row === undefined ? job.data : JSON.parse(row.input);
  }

  async result({ id, queue }: Snapshot): Promise<Json> {
    const [row] = await this.#rows<{ value: Json; apart: string | null }>(
      `SELECT j.return_value AS value, r.value AS apart FROM job j
       LEFT JOIN mcp_jobs_result r ON r.id = j.id AND j.return_value = jsonb_build_object('mcp-jobs', r.run)
       WHERE j.queue = $1 AND j.id = $2`,
      queue,
      id,
    );
    return typeof row?.apart === "string" ? JSON.parse(row.apart) : row?.value ?? null;
  }

  async keepResult(id: string, run: number, text: string): Promise<Json> {
    const kept = await this.#rows(
      `INSERT INTO mcp_jobs_result SELECT id, $2, $3 FROM mcp_jobs_task WHERE id = $1
       ON CONFLICT (id, run) DO UPDATE SET value = EXCLUDED.value RETURNING run`,
      id,
      run,
      text,
    );
    return kept.length > 0 ? { "mcp-jobs": run } : JSON.parse(text);
  }

  async cancel(id: string, work: "ask" | "stopped" | "stop_requested"): Promise<Cancelled> {
    const [row] = await this.#rows<{ done: Cancelled | "remove" }>(
      "SELECT mcp_jobs_cancel($1, $2, $3) AS done",
      id,
      work,
      Date.now(),
    );
    if (row?.done !== "remove") return row?.done ?? "unknown";
    // Only tidies up: a worker that takes the marked job fails it without a run, and it is deleted when its time is over.
    await this.read(id).then(async (found) => found && (await this.#queue(found.queue)).remove(id)).catch(() => {});
    return "cancelled";
  }

  async stops(ids: readonly string[]): Promise<readonly string[]> {
    const stops = "SELECT id FROM mcp_jobs_task WHERE id = ANY ($1) AND (stop OR work IS NOT NULL)";
    return (await this.#pool.query<{ id: string }>(stops, [ids])).rows.map(({ id }) => id);
  }

  async markAbandoned(id: string): Promise<void> {
    await this.#rows("UPDATE mcp_jobs_task SET abandoned = true WHERE id = $1", id);
  }

  async markHandedBack(id: string, run: number): Promise<number> {
    const set = "hand_backs = hand_backs + (handed_back IS DISTINCT FROM $2)::integer, handed_back = $2";
    const sql = `UPDATE mcp_jobs_task SET ${set} WHERE id = $1 RETURNING hand_backs`;
    const [row] = await this.#rows<{ hand_backs: number }>(sql, id, run);
    return row?.hand_backs ?? 0;
  }

  async markFault(id: string, run: number, code?: number): Promise<void> {
    await this.#rows("UPDATE mcp_jobs_task SET fault = $2 WHERE id = $1", id, JSON.stringify({ run, code }));
  }

  ask(id: string, question: Question): Promise<Answer | undefined> {
    // One after the other: two connections would not keep the order of two questions.
    const asked = this.#asked.then(() => this.#ask(id, question));
    this.#asked = asked.catch(() => {});
    return asked;
  }

  async #ask(id: string, question: Question): Promise<Answer | undefined> {
    const [row] = await this.#rows<{ answer: Answer | null }>(
      "SELECT mcp_jobs_ask($1, $2, $3, $4) AS answer",
      id,
      question.key,
      storable(JSON.stringify(question)),
      Date.now(),
    );
    return row?.answer ?? undefined;
  }

  async answerTo(id: string, key: string): Promise<Answer | undefined> {
    const [row] = await this.#rows<{ answer: Answer | null }>(
      "SELECT answers -> $2 AS answer FROM mcp_jobs_task WHERE id = $1",
      id,
      key,
    );
    return row?.answer ?? undefined;
  }

  async answer(id: string, answers: { readonly [key: string]: Answer }): Promise<void> {
    await this.#rows("SELECT mcp_jobs_answer($1, $2, $3)", id, storable(JSON.stringify(answers)), Date.now());
  }

  async list(owner: string, cursor: string | undefined, limit: number): Promise<readonly string[]> {
    const rows = await this.#rows<{ id: string }>(
      `SELECT id FROM mcp_jobs_task WHERE owner = $1 AND NOT expired AND ($2::text IS NULL OR id COLLATE "C" < $2)
       ORDER BY id COLLATE "C" DESC LIMIT $3`,
      owner,
      cursor ?? null,
      limit,
    );
    return rows.map(({ id }) => id);
  }

  async due(limit: number): Promise<readonly string[]> {
    const now = Date.now();
    await this.#rows("DELETE FROM mcp_jobs_task WHERE expired AND look_at < $1", now);
    const rows = await this.#rows<{ id: string }>(
      "SELECT id FROM mcp_jobs_task WHERE look_at < $1 ORDER BY look_at LIMIT $2",
      now,
      limit,
    );
    return rows.map(({ id }) => id);
  }

  async postpone(id: string, ms: number): Promise<void> {
    const at = Math.min(Date.now() + ms, Number.MAX_SAFE_INTEGER);
    await this.#rows("UPDATE mcp_jobs_task SET look_at = $2 WHERE id = $1", id, at);
  }

  async expire({ id, queue }: Snapshot): Promise<boolean> {
    // In this order, so that whoever finds it half done does it again.
    if (await (await this.#queue(queue)).remove(id) !== 1) return false;
    await this.#rows("DELETE FROM mcp_jobs_result WHERE id = $1", id);
    await this.#rows(
      "UPDATE mcp_jobs_task SET expired = true, input = NULL, look_at = $2 WHERE id = $1",
      id,
      Date.now() + EXPIRED_TOLD_MS,
    );
    return true;
  }

  async #rows<Row>(sql: string, ...values: readonly (string | number | boolean | null)[]): Promise<readonly Row[]> {
    return (await this.#pool.query<Row>(sql, [...values])).rows;
  }

  async #readMany(wanted: readonly Wanted[]): Promise<readonly (Snapshot | undefined)[]> {
    const { rows } = await this.#pool.query<{ found: { [field: string]: unknown } & { readonly id: string } }>(
      "SELECT mcp_jobs_read($1, $2, $3) AS found",
      [wanted.map(({ id }) => id), wanted.map(({ owner }) => owner), Date.now()],
    );
    const all = new Map(rows.map(({ found }) => [found.id, found]));
    return wanted.map(({ id, owner }) => {
      const found = all.get(id);
      // Two may have asked for it at once.
      return owner === "" || owner === found?.owner ? toSnapshot(found) : undefined;
    });
  }
}

/** The function gives a snapshot's own fields, and null for those that are absent. */
function toSnapshot(found: { readonly [field: string]: unknown } | undefined): Snapshot | undefined {
  if (found === undefined) return undefined;
  const fields = Object.entries(found).filter(([, value]) => value !== null);
  return Object.fromEntries(fields) as unknown as Snapshot;
}

/** What PostgreSQL takes for text in JSON: neither NUL nor half of a character. Workers of ours read the input as it was. */
function storable(text: string): string {
  return text.replaceAll(/(?<!\\)((?:\\\\)*)\\u(0000|d[89a-f][0-9a-f]{2})/g, "$1\\ufffd");
}
