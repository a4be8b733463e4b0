/**
 * A worker at PostgreSQL: claims in batches, and writes what becomes of its tasks, each write fenced by the version that
 * it last saw. A worker that has lost a task cannot write to it any more.
 *
 * @module
 */
import type { Attempt, ProgressReport, TaskEvent } from "../../backend.ts";
import type { Answer, Json, Outcome, Question } from "../../task.ts";
import { messageOf } from "../../text.ts";
import * as change from "../record.ts";
import type { Claimed, Failed, Look, RunnerStore } from "../runner.ts";
import type { Database, Statement } from "./database.ts";
import { changeOf, type Entry, entryOf, type TaskRow, type TaskStore } from "./store.ts";
import type { Writer } from "./writer.ts";

/** The most tasks claimed at once. */
const MOST_CLAIMED = 100;

/** Inputs up to this size come with the claim, in bytes; larger ones are read one by one. */
const SMALL_INPUT = 65_536;

/** What a worker's claims need. */
export interface ClaimsOptions {
  readonly database: Database;
  readonly writer: Writer;
  readonly store: TaskStore;
  /** The worker's name. */
  readonly worker: string;
  readonly jobs: readonly string[];
  /** Hears that a task is no longer ours. */
  readonly lose: (id: string) => void;
}

interface ClaimRow extends TaskRow {
  /** The input, unless it is large. */
  readonly input: string | null;
}

/** The claims of one worker. */
export class Claims implements RunnerStore {
  readonly #options: ClaimsOptions;
  readonly #held = new Map<string, Entry>();
  readonly #claim: Statement;
  readonly #promote: Statement;
  readonly #mine: Statement;
  /** When the next delayed task is due, as far as is known, by the database's clock; before the first look, at once. */
  #dueAt = 0;

  /** Claims nothing yet. */
  constructor(options: ClaimsOptions) {
    const { schema } = options.database;
    this.#options = options;
    this.#claim = { name: "mcp_jobs_claim", text: claimStatement(schema) };
    this.#promote = { name: "mcp_jobs_promote", text: promoteStatement(schema) };
    this.#mine = { name: "mcp_jobs_mine", text: `SELECT id FROM ${schema}.queue WHERE holder = $1::uuid` };
  }

  /** Hears of a change: a delayed task is to be looked for in its time. */
  hear(event: TaskEvent): void {
    if (event.kind === "gap") this.#dueAt = 0;
    else if ("dueAt" in event.task) this.#dueAt = Math.min(this.#dueAt, event.task.dueAt ?? Infinity);
  }

  /** Claims up to `max` tasks that are due. */
  async claim(max: number): Promise<Look> {
    const { database, writer, worker, jobs } = this.#options;
    if (this.#dueAt <= database.now) await this.#findDue();
    const most = Math.min(max, MOST_CLAIMED);
    const taken = await database.transaction(async (queries) => {
      const rows = await queries.run<ClaimRow>(this.#claim, [worker, jobs, most]);
      const writes = rows.map((row) => {
        const entry = entryOf(row);
        return { row, write: changeOf(entry, change.claimed(entry.record, worker, database.now)) };
      });
      const done = rows.length === 0 ? [] : await writer.within(queries, writes.map(({ write }) => write));
      return writes.filter((_, index) => done[index]);
    });
    writer.told(taken.map(({ write }) => write));
    for (const { write: { record, version } } of taken) {
      this.#held.set(record.info.id, { record, version: version + 1 });
    }
    const started = await Promise.all(taken.map(({ row, write }) => this.#start(row, write.record)));
    return {
      claims: started.filter((one) => "task" in one),
      failed: started.filter((one) => "attempt" in one),
      more: taken.length === most,
      // In this process's time, which the runner's timer goes by.
      dueAt: Number.isFinite(this.#dueAt) ? Date.now() + Math.max(0, this.#dueAt - database.now) : undefined,
    };
  }

  /**
   * Gives back what this worker holds by the database, and does not know of: a claim whose answer was lost. To be called
   * while no claim is under way.
   */
  async releaseUnknown(): Promise<void> {
    const { database, store, worker } = this.#options;
    const rows = await database.run<{ id: string }>(this.#mine, [worker]);
    for (const { id } of rows) {
      const entry = this.#held.has(id) ? undefined : await store.read(id);
      if (entry?.record.holder !== worker) continue;
      await store.change(entry, change.handedBack(entry.record, false, database.now));
    }
  }

  async report(id: string, report: ProgressReport): Promise<void> {
    await this.#change(id, (record, now) => ({ record: change.reported(record, report, now) }));
  }

  async ask(id: string, question: Question): Promise<Answer | undefined> {
    await this.#change(id, (record, now) => ({ record: change.asked(record, question, now) }));
    // The answer may have come since the claim.
    return this.#held.get(id)?.record.answers?.[question.key];
  }

  async answer(id: string, key: string): Promise<Answer | undefined> {
    const entry = this.#held.has(id) ? await this.#options.store.read(id) : undefined;
    return entry?.record.answers?.[key];
  }

  async settle(id: string, attempt: Attempt): Promise<void> {
    const random = Math.random();
    await this.#change(id, (record, now) => change.settled(record, attempt, now, random));
    this.#held.delete(id);
  }

  async handBack(id: string, abandoned: boolean): Promise<void> {
    await this.#change(id, (record, now) => ({ record: change.handedBack(record, abandoned, now) }));
    this.#held.delete(id);
  }

  /** Changes a held task. If somebody else has changed it meanwhile, looks anew; if it is no longer ours, lets it go. */
  async #change(
    id: string,
    next: (record: change.TaskRecord, now: number) => { record: change.TaskRecord; outcome?: Outcome },
  ) {
    const { database, store, worker, lose } = this.#options;
    let entry = this.#held.get(id);
    while (entry) {
      const { record, outcome } = next(entry.record, database.now);
      const changed = record === entry.record ? entry : await store.change(entry, record, outcome);
      if (changed) return void this.#held.set(id, changed);
      entry = await store.read(id);
      if (entry?.record.holder === worker) continue;
      this.#held.delete(id);
      return lose(id);
    }
  }

  async #start({ id, input }: ClaimRow, { info: task, timeout }: change.TaskRecord): Promise<Claimed | Failed> {
    try {
      const value: Json = input === null ? await this.#options.store.input(id) : JSON.parse(input);
      return { task, input: value, timeout };
    } catch (error) {
      return { id, attempt: { kind: "error", message: messageOf(error), retry: true } };
    }
  }

  /** Makes ready what is due, and finds out when the next task will be. */
  async #findDue(): Promise<void> {
    this.#dueAt = Infinity; // What is heard of meanwhile counts, too.
    try {
      const [row] = await this.#options.database.run<{ due: number | null }>(this.#promote);
      this.#dueAt = Math.min(this.#dueAt, row?.due ?? Infinity);
    } catch (error) {
      this.#dueAt = 0; // The next look begins anew.
      throw error;
    }
  }
}

/** Takes what is ready, of all jobs together the most urgent first, unless the worker's lease has run out. */
function claimStatement(schema: string): string {
  return `
WITH alive AS MATERIALIZED (
  SELECT name FROM ${schema}.workers WHERE name = $1::uuid AND expires_at > now() FOR SHARE
), found AS MATERIALIZED (
  SELECT ready.id, ready.priority, ready.due_at FROM unnest($2::text[]) AS name, alive, LATERAL (
    SELECT id, priority, due_at FROM ${schema}.queue WHERE job = name.name AND holder IS NULL AND NOT delayed
    ORDER BY priority, due_at, id LIMIT $3::integer FOR UPDATE SKIP LOCKED
  ) AS ready ORDER BY ready.priority, ready.due_at, ready.id LIMIT $3::integer
)
SELECT tasks.id, version, info, rest, CASE WHEN octet_length(body) <= ${SMALL_INPUT} THEN body END AS input
FROM found JOIN ${schema}.tasks USING (id) LEFT JOIN ${schema}.bodies ON bodies.id = tasks.id AND kind = 'i'
ORDER BY priority, due_at, tasks.id`;
}

function promoteStatement(schema: string): string {
  return `
WITH due AS (
  SELECT id FROM ${schema}.queue WHERE delayed AND due_at <= now() ORDER BY due_at LIMIT ${MOST_CLAIMED} FOR UPDATE SKIP LOCKED
), ready AS (
  UPDATE ${schema}.queue SET delayed = false FROM due WHERE queue.id = due.id RETURNING queue.id
)
SELECT (extract(epoch FROM min(due_at)) * 1000)::float8 AS due FROM ${schema}.queue
WHERE delayed AND id NOT IN (SELECT id FROM ready)`;
}
