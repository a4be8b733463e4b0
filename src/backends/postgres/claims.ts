/**
 * A worker at PostgreSQL: claims in batches, and writes what becomes of its tasks, each write fenced by the version that
 * it last saw. A worker that has lost a task cannot write to it any more.
 *
 * @module
 */
import type { Attempt, ProgressReport, TaskEvent } from "../../backend.ts";
import type { Answer, Json, Outcome, Question } from "../../task.ts";
import { messageOf } from "../../text.ts";
import * as change from "../shared/record.ts";
import type { ClaimedTask, ClaimResult, FailedClaim, RunnerStore } from "../shared/runner.ts";
import type { Database, Statement } from "./database.ts";
import { type Entry, entryOf, type TaskRow, type TaskStore } from "./store.ts";

/** The most tasks claimed at once. */
const MOST_CLAIMED = 100;

/** Inputs up to this size come with the claim, in bytes; larger ones are read one by one. */
const SMALL_INPUT = 65_536;

/** What a worker's claims need. */
export interface ClaimsOptions {
  readonly database: Database;
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
  readonly #sql: { readonly [name in "claim" | "promote" | "mine" | "release"]: Statement };
  /** When the next delayed task is due, as far as is known, by the database's clock; before the first look, at once. */
  #dueAt = 0;
  #claiming = false;
  /** How many claims are over. */
  #claims = 0;

  /** Claims nothing yet. */
  constructor(options: ClaimsOptions) {
    const { schema } = options.database;
    this.#options = options;
    this.#sql = {
      claim: { name: "mcp_jobs_claim", text: claimStatement(schema) },
      promote: { name: "mcp_jobs_promote", text: promoteStatement(schema) },
      mine: { name: "mcp_jobs_mine", text: `SELECT id FROM ${schema}.queue WHERE holder = $1::uuid` },
      release: {
        name: "mcp_jobs_release",
        text: `UPDATE ${schema}.queue SET holder = NULL WHERE id = ANY($1::uuid[]) AND holder = $2::uuid`,
      },
    };
  }

  /** Hears of a change: a delayed task is to be looked for in its time. */
  hear(event: TaskEvent): void {
    if (event.kind === "gap") this.#dueAt = 0;
    else if ("dueAt" in event.task) this.#dueAt = Math.min(this.#dueAt, event.task.dueAt ?? Infinity);
  }

  /** Claims up to `max` tasks that are due. */
  async claim(max: number): Promise<ClaimResult> {
    const { database } = this.#options;
    if (this.#dueAt <= database.now) await this.#findDue();
    const most = Math.min(max, MOST_CLAIMED);
    this.#claiming = true;
    try {
      const rows = await this.#take(most);
      const begun = await Promise.all(rows.map((row) => this.#begin(row)));
      const missed = rows.filter((_, index) => begun[index] === undefined).map(({ id }) => id);
      if (missed.length > 0) await this.#release(missed);
      return {
        claims: begun.filter((one) => one !== undefined && "task" in one),
        failed: begun.filter((one) => one !== undefined && "attempt" in one),
        more: rows.length === most || missed.length > 0,
        dueIn: Math.max(0, this.#dueAt - database.now),
      };
    } finally {
      this.#claiming = false;
      this.#claims++;
    }
  }

  /** Gives back what this worker holds by the database and does not know of: a claim whose answer was lost. */
  async releaseUnknown(): Promise<void> {
    const { database, store, worker } = this.#options;
    const claims = this.#claims;
    const rows = await database.run<{ id: string }>(this.#sql.mine, [worker]);
    // What a claim takes meanwhile is not known yet.
    if (this.#claiming || claims !== this.#claims) return;
    for (const { id } of rows) {
      const entry = this.#held.has(id) ? undefined : await store.read(id);
      if (entry === undefined) continue;
      if (entry.record.holder !== worker) await this.#release([id]);
      else {
        const { record, outcome } = change.handedBack(entry.record, false, database.now);
        await store.change(entry, record, outcome);
      }
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
    await this.#change(id, (record, now) => change.handedBack(record, abandoned, now));
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

  #take(most: number): Promise<readonly ClaimRow[]> {
    const { database, worker, jobs } = this.#options;
    return database.run<ClaimRow>(this.#sql.claim, [worker, jobs, most]);
  }

  /** Writes that a task runs here. Resolves with `undefined` if somebody else has changed it meanwhile. */
  async #begin(row: ClaimRow): Promise<ClaimedTask | FailedClaim | undefined> {
    const { database, store, worker } = this.#options;
    const entry = entryOf(row);
    const held = await store.change(entry, change.claimed(entry.record, worker, database.now));
    if (held === undefined) return undefined;
    const { id, input } = row;
    this.#held.set(id, held);
    const { info: task, timeout } = held.record;
    try {
      const value: Json = input === null ? await store.input(id) : JSON.parse(input);
      return { task, input: value, timeout };
    } catch (error) {
      return { id, attempt: { kind: "error", message: messageOf(error), retry: true } };
    }
  }

  /** Puts tasks that were taken, but not begun, back into the queue. */
  async #release(ids: readonly string[]): Promise<void> {
    const { database, worker } = this.#options;
    await database.run(this.#sql.release, [ids, worker]);
  }

  /** Makes ready what is due, and finds out when the next task will be. */
  async #findDue(): Promise<void> {
    this.#dueAt = Infinity; // What is heard of meanwhile counts, too.
    try {
      const [row] = await this.#options.database.run<{ due: number | null }>(this.#sql.promote);
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
), taken AS (
  UPDATE ${schema}.queue SET holder = $1::uuid FROM found WHERE queue.id = found.id
  RETURNING queue.id, queue.priority, queue.due_at
)
SELECT tasks.id, version, info, rest, CASE WHEN octet_length(body) <= ${SMALL_INPUT} THEN body END AS input
FROM taken JOIN ${schema}.tasks USING (id) LEFT JOIN ${schema}.bodies ON bodies.id = tasks.id AND kind = 'i'
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
