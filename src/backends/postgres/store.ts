/**
 * Tasks in PostgreSQL: read in batches, written by the `Writer`.
 *
 * @module
 */
import type { LogLine, StreamStore } from "../../backend.ts";
import { type Json, KEY_TTL_MS, type Outcome, type TaskInfo } from "../../task.ts";
import { batched } from "../shared/batch.ts";
import { type TaskRecord, unclaimed } from "../shared/record.ts";
import type {
  KeyCondition,
  LeasedWorker,
  OperatingStore,
  Queue,
  Store,
  Worker,
  WorkerLease,
} from "../shared/store/store.ts";
import type { Database } from "./connecting/database.ts";
import { isAway, isCut } from "./connecting/failures.ts";
import { type HeldTask, leaseOf } from "./lease.ts";
import { queueOf } from "./queue.ts";
import { Ahead } from "./operating/ahead.ts";
import { operatingOf } from "./operating/operating.ts";
import { stateOf } from "./operating/states.ts";
import { entryOf, LAST_ID, type NewRow, type PgEntry, SMALL_OUTCOME, TASK_COLUMNS, type TaskRow } from "./rows.ts";
import { stepsIn } from "./tables/steps.ts";
import { streamsIn } from "./tables/streams.ts";
import { STARTED } from "./tables/create.ts";
import { documentsIn } from "./tables/documents.ts";
import { textArray } from "./tables/rows_in.ts";
import type { Writer } from "./writer.ts";

/** A key of an owner. */
interface OwnKey {
  /** As JSON. */
  readonly owner: string;
  readonly name: string;
}

/** The most tasks, or keys, that are read at once. */
const MAX_READ = 200;

/** Reads and writes the tasks of one schema. */
export class PostgresStore implements Store<PgEntry> {
  readonly streams: StreamStore;
  readonly documents: Store["documents"];
  readonly operating: OperatingStore<PgEntry>;
  readonly steps: Store<PgEntry>["steps"];
  readonly record: Store<PgEntry>["record"];
  readonly forget: Store<PgEntry>["forget"];
  readonly #database: Database;
  readonly #writer: Writer;
  readonly #ahead: Ahead;
  readonly #lease: number;
  readonly #read: (id: string) => Promise<PgEntry | undefined>;
  readonly #named: (key: OwnKey) => Promise<string | undefined>;

  /** `lease`: how long the lease of a worker lasts, in ms. */
  constructor(database: Database, writer: Writer, lease: number) {
    this.streams = streamsIn(database);
    this.documents = documentsIn(database, writer);
    this.#database = database;
    this.#writer = writer;
    ({ steps: this.steps, record: this.record, forget: this.forget } = stepsIn(database));
    this.#lease = lease;
    this.#read = batched((ids) => this.#readMany(ids), MAX_READ, { isFatal: isAway });
    this.#named = batched((keys) => this.#namedMany(keys), MAX_READ, { isFatal: isAway });
    this.#ahead = new Ahead(this.documents);
    this.operating = operatingOf(database, this.#ahead, this.#read);
  }

  now(): number {
    return Math.round(this.#database.now);
  }

  async create(record: TaskRecord, input: string, condition?: KeyCondition): Promise<boolean> {
    return await this.#put({ record, input, condition }) !== undefined;
  }

  async start(record: TaskRecord, input: string, worker: string, condition?: KeyCondition): Promise<PgEntry | boolean> {
    const entry = await this.#put({ record, input, condition, worker });
    if (entry?.version === STARTED && entry.record.holder === worker) return entry;
    return entry !== undefined || await this.create(record, input, condition);
  }

  /** Stores a task, and claims it if it has a worker. Resolves with `undefined` if it is not stored. */
  async #put(row: NewRow): Promise<PgEntry | undefined> {
    const { info } = row.record;
    await this.#ahead.note(info);
    try {
      const record = await (row.worker === undefined ? this.#writer.create(row) : this.#writer.start(row));
      return record && { record, version: record.holder === undefined ? 1 : STARTED, state: stateOf(info) };
    } catch (error) {
      if (!isCut(error)) throw error;
      // Under the same id it cannot be stored twice: PostgreSQL waits for the first statement if that is still running. But it
      // would not wait if a key that must name nothing had a text by now, so that condition counts only the first time.
      const condition = row.condition?.names === "nothing" ? undefined : row.condition;
      await this.#writer.create({ ...row, worker: undefined, condition });
      return await this.read(info.id, info.owner);
    }
  }

  readKey(owner: string, key: string): Promise<string | undefined> {
    return this.#named({ owner: JSON.stringify(owner), name: key });
  }

  async writeKey(owner: string, key: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    const { schema, run } = this.#database;
    const kept = `now() + interval '${KEY_TTL_MS / 1000} s'`; // PostgreSQL 13 cannot read as many ms.
    const statements = {
      name: `INSERT INTO ${schema}.keys (owner, name, named, expires_at) VALUES ($1, $2, $4, ${kept})
        ON CONFLICT (owner, name) DO UPDATE SET named = excluded.named, expires_at = excluded.expires_at
        WHERE keys.expires_at <= now() AND $3::text IS NULL RETURNING name`,
      move: `UPDATE ${schema}.keys SET named = $4, expires_at = ${kept}
        WHERE owner = $1 AND name = $2 AND named = $3 RETURNING name`,
      drop: `DELETE FROM ${schema}.keys
        WHERE owner = $1 AND name = $2 AND named = $3 AND $4::text IS NULL RETURNING name`,
    };
    if (from === undefined && to === undefined) return await this.readKey(owner, key) === undefined;
    const kind = from === undefined ? "name" : to === undefined ? "drop" : "move";
    const values = [JSON.stringify(owner), key, from ?? null, to ?? null];
    return (await run({ name: `mcp_jobs_key_${kind}`, text: statements[kind] }, values)).length > 0;
  }

  async read(id: string, owner: string): Promise<PgEntry | undefined> {
    const entry = await this.#read(id);
    return entry?.record.info.owner === owner ? entry : undefined;
  }

  async change(
    before: PgEntry,
    record: TaskRecord,
    outcome?: Outcome,
    lines?: readonly LogLine[],
  ): Promise<PgEntry | undefined> {
    const text = outcome && JSON.stringify(outcome);
    const changed = await this.#writer.change({ before, record, outcome: text, lines });
    return changed ? { record, version: before.version + 1, state: stateOf(record.info) } : undefined;
  }

  async log({ record: { info } }: PgEntry): Promise<readonly LogLine[]> {
    const rows = await this.#database.run<{ body: string }>({
      name: "mcp_jobs_log",
      text: `SELECT body FROM ${this.#database.schema}.logs WHERE id = $1::uuid ORDER BY version`,
    }, [info.id]);
    return rows.flatMap<LogLine>(({ body }) => JSON.parse(body));
  }

  async input({ record, input }: PgEntry): Promise<Json | undefined> {
    return input === undefined ? await this.#load<Json>(record.info.id, "input") : input;
  }

  async outcome({ record, outcome }: PgEntry): Promise<Outcome | undefined> {
    return outcome === undefined ? await this.#load<Outcome>(record.info.id, "outcome") : JSON.parse(outcome);
  }

  async list(owner: string, before: string | undefined, limit: number): Promise<readonly TaskInfo[]> {
    const rows = await this.#database.run<TaskRow>({
      name: "mcp_jobs_list",
      text: `SELECT ${TASK_COLUMNS} FROM ${this.#database.schema}.tasks WHERE owner = $1 AND id < $2::uuid
        ORDER BY id DESC LIMIT $3`,
    }, [JSON.stringify(owner), before ?? LAST_ID, limit]);
    return rows.map((row) => entryOf(row).record.info);
  }

  async check(): Promise<void> {
    // Inserts a row and deletes it again: an update of an existing row might succeed on a full disk.
    const { schema, run } = this.#database;
    const row = `('${crypto.randomUUID()}', '', '', 1, '', repeat('-', 500), '')`;
    await run({
      text:
        `BEGIN; INSERT INTO ${schema}.tasks (id, owner, job, version, state, record, input) VALUES ${row}; ROLLBACK`,
    });
  }

  async withWorker(jobs: readonly string[]): Promise<readonly string[]> {
    const rows = await this.#database.run<{ job: string }>({
      name: "mcp_jobs_with_worker",
      text: `SELECT DISTINCT job FROM ${this.#database.schema}.workers, unnest(jobs) AS job
        WHERE expires_at > now() AND job = ANY($1::text[])`,
    }, [jobs]);
    return rows.map(({ job }) => job);
  }

  queue(worker: Worker): Queue<PgEntry> {
    return queueOf(this.#database, this.#writer, worker);
  }

  lease(worker: LeasedWorker, held: () => readonly TaskInfo[]): WorkerLease {
    const putBack = async ({ id, owner, version }: HeldTask) => {
      const entry = await this.read(id, owner);
      if (entry?.version !== version) return;
      const undone = unclaimed(entry.record, this.now());
      await this.change(entry, undone.record, undone.outcome);
    };
    return leaseOf(this.#database, worker, this.#lease, held, putBack);
  }

  async #readMany(ids: readonly string[]): Promise<readonly (PgEntry | undefined)[]> {
    const rows = await this.#database.run<TaskRow & { readonly id: string; readonly outcome: string | null }>({
      name: "mcp_jobs_read",
      text: `SELECT id, ${TASK_COLUMNS}, CASE WHEN octet_length(outcome) <= ${SMALL_OUTCOME} THEN outcome END AS outcome
        FROM ${this.#database.schema}.tasks WHERE id = ANY($1::uuid[])`,
    }, [[...new Set(ids)]]);
    const found = new Map(rows.map((row) => [row.id, { ...entryOf(row), outcome: row.outcome ?? undefined }]));
    return ids.map((id) => found.get(id));
  }

  async #namedMany(keys: readonly OwnKey[]): Promise<readonly (string | undefined)[]> {
    const rows = await this.#database.run<{ place: number; named: string }>({
      name: "mcp_jobs_named",
      text:
        `SELECT place::integer, named FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (owner, name, place)
        JOIN ${this.#database.schema}.keys USING (owner, name) WHERE expires_at > now()`,
    }, [textArray(keys.map(({ owner }) => owner)), textArray(keys.map(({ name }) => name))]);
    const found = new Map(rows.map(({ place, named }) => [place - 1, named]));
    return keys.map((_, index) => found.get(index));
  }

  async #load<T>(id: string, what: "input" | "outcome"): Promise<T | undefined> {
    const [row] = await this.#database.run<{ body: string | null }>({
      name: `mcp_jobs_${what}`,
      text: `SELECT ${what} AS body FROM ${this.#database.schema}.tasks WHERE id = $1::uuid`,
    }, [id]);
    return row?.body ? JSON.parse(row.body) : undefined;
  }
}
