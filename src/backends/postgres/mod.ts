/**
 * The backend on PostgreSQL, for any number of machines. Needs no extension and no superuser.
 *
 * @module
 */
import type { Backend, NewTask, StreamStore, TaskEvent, TaskPage, WorkHandle, WorkOptions } from "../../backend.ts";
import { BackendError, TaskFinished, TaskNotReady } from "../../errors.ts";
import { type Answer, type FinishedTask, isFinished, type Outcome, type TaskInfo } from "../../task.ts";
import { checkOptions, flag, required, type Rules, text, wholeNumber } from "../../options.ts";
import { awaitEnd } from "../shared/await_end.ts";
import * as change from "../shared/record.ts";
import { Runner } from "../shared/runner.ts";
import { Claims } from "./claims.ts";
import { Database } from "./database.ts";
import { EventLog } from "./events.ts";
import { Lease } from "./lease.ts";
import { checkSchema, migrate } from "./schema.ts";
import { TaskStore } from "./store.ts";
import { PostgresStreams } from "./streams.ts";
import { Sweeper } from "./sweeper.ts";
import { Writer } from "./writer.ts";

/** Where the tables are. */
export interface PostgresPlace {
  /** The database, as `postgres://user:password@host:5432/database`. */
  readonly url: string;
  /** The schema of the tables; default `mcp_jobs`. Systems with schemas of their own can share a database. */
  readonly schema?: string;
}

/** What {@linkcode PostgresBackend.connect} takes. */
export interface PostgresOptions extends PostgresPlace {
  /** After how long a silent worker counts as dead, in ms; default 10,000, at least 300. Its tasks then run again. */
  readonly lease?: number;
  /** The most connections of this process, beside the one that listens; default 6, at least 3. */
  readonly pool?: number;
  /**
   * Whether a connection listens for notifications; default `true`. `false`, for a connection pooler that lends
   * connections for one transaction, reads events every 250 ms instead.
   */
  readonly listen?: boolean;
}

/** For how long what a check has written is kept, in ms. */
const CHECK_TTL_MS = 1_000;

const PLACE: Rules<PostgresPlace> = { url: required(text), schema: text };

const OPTIONS: Rules<PostgresOptions> = { ...PLACE, lease: wholeNumber(300), pool: wholeNumber(3), listen: flag };

interface PostgresWorker {
  readonly jobs: readonly string[];
  readonly claims: Claims;
  readonly runner: Runner;
  readonly stop: (grace: number) => Promise<void>;
}

/**
 * Queues and stores tasks in PostgreSQL 13 or later.
 *
 * @example
 * ```ts ignore
 * import { PostgresBackend } from "@mcp-jobs/mcp-jobs";
 * const url = "postgres://jobs@localhost/app";
 * await PostgresBackend.migrate({ url });
 * await using backend = await PostgresBackend.connect({ url });
 * ```
 */
export class PostgresBackend implements Backend {
  /** Keeps the streams of HTTP sessions. */
  readonly streams: StreamStore;
  readonly #database: Database;
  readonly #lease: number;
  readonly #writer: Writer;
  readonly #store: TaskStore;
  readonly #listeners = new Set<(event: TaskEvent) => void>();
  readonly #workers = new Set<PostgresWorker>();
  readonly #sweeper: Sweeper;
  #log: EventLog | undefined;
  #closing: Promise<void> | undefined;

  private constructor(database: Database, lease: number) {
    this.#database = database;
    this.#lease = lease;
    this.#writer = new Writer(database, (tasks) => {
      for (const task of tasks) this.#tell({ kind: "change", task });
      const ready = tasks.some(({ status }) => status === "PENDING" || status === "RETRYING");
      if (ready) this.#wakeWorkers();
      this.#log?.wake(ready);
    });
    this.#store = new TaskStore(database, this.#writer);
    this.streams = new PostgresStreams(database);
    this.#sweeper = new Sweeper(database);
  }

  /**
   * Makes or updates the tables; does nothing where they are up to date. Several may do so at once. Rejects with
   * `BackendError` if the database does not answer, or if the tables are newer than this code.
   */
  static async migrate(place: PostgresPlace): Promise<void> {
    checkOptions("PostgresBackend.migrate", place, PLACE);
    const { url, schema = "mcp_jobs" } = place;
    const database = await Database.open(url, schema, 1);
    await migrate(database).finally(() => database[Symbol.asyncDispose]());
  }

  /**
   * Connects. Rejects with `BackendError` if the database does not answer, is read-only, or has other tables than this
   * code needs, and with `DefinitionError` for options that cannot be.
   */
  static async connect(options: PostgresOptions): Promise<PostgresBackend> {
    checkOptions("PostgresBackend.connect", options, OPTIONS);
    const { url, schema = "mcp_jobs", lease = 10_000, pool = 6, listen = true } = options;
    const database = await Database.open(url, schema, pool);
    try {
      await checkSchema(database);
      const backend = new PostgresBackend(database, lease);
      backend.#log = await EventLog.open(database, backend.#writer.name, listen, {
        event: (event) => backend.#tell(event),
        ready: () => backend.#wakeWorkers(),
      });
      return backend;
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Stores a task and queues it. */
  async create(task: NewTask): Promise<TaskInfo> {
    this.#checkOpen();
    change.refuseRoute(task);
    const record = change.created(task, this.#now());
    if (!await this.#store.create(record, task.input)) {
      throw new Error(`Cannot create task ${task.id}: there is one of this id. Make a new id for each task.`);
    }
    return record.info;
  }

  /** Reads a task. */
  async get(id: string, owner: string): Promise<TaskInfo> {
    this.#checkOpen();
    return (await this.#store.find(id, owner)).record.info;
  }

  /** Reads how a finished task ended. */
  async outcome(id: string, owner: string): Promise<Outcome> {
    this.#checkOpen();
    const { record: { info } } = await this.#store.find(id, owner);
    if (info.status === "CANCELLED") return change.cancelledOutcome(info);
    const outcome = isFinished(info) ? await this.#store.outcome(id) : undefined;
    if (outcome === undefined) throw new TaskNotReady(id, info.status);
    return outcome;
  }

  /** Cancels a task; waits up to `wait` ms for the worker's answer. */
  async cancel(id: string, owner: string, wait: number): Promise<FinishedTask> {
    this.#checkOpen();
    let asked = false;
    while (true) {
      const entry = await this.#store.find(id, owner);
      const { record } = entry;
      if (isFinished(record.info)) {
        if (asked) return record.info;
        throw new TaskFinished(id, record.info.status);
      }
      const ask = record.holder !== undefined && !asked;
      const next = ask ? change.stopRequested(record, this.#now()) : change.cancelledNow(record, this.#now());
      const changed = await this.#store.change(entry, next);
      if (changed === undefined) continue;
      if (isFinished(changed.record.info)) return changed.record.info;
      asked = true;
      const ended = await awaitEnd(this, id, owner, wait);
      if (ended) return ended;
    }
  }

  /** Stores answers to a task's open questions. */
  async answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<TaskInfo> {
    this.#checkOpen();
    while (true) {
      const entry = await this.#store.find(id, owner);
      if (isFinished(entry.record.info)) return entry.record.info;
      const changed = await this.#store.change(entry, change.answered(entry.record, answers, this.#now()));
      if (changed) return changed.record.info;
    }
  }

  /** Lists an owner's tasks, the newest first. */
  async list(
    owner: string,
    { cursor, limit }: { readonly cursor?: string; readonly limit: number },
  ): Promise<TaskPage> {
    this.#checkOpen();
    change.refuseCursor(cursor);
    return await this.#store.page(owner, cursor, limit);
  }

  /** Tries whether a task could be stored now. */
  async check(): Promise<void> {
    this.#checkOpen();
    await this.streams.append("check", { id: this.#writer.name, text: "" }, CHECK_TTL_MS);
  }

  /** Whether a worker for this job is alive. */
  async hasWorker(job: string): Promise<boolean> {
    this.#checkOpen();
    const rows = await this.#database.run({
      name: "mcp_jobs_has_worker",
      text: `SELECT FROM ${this.#database.schema}.workers WHERE expires_at > now() AND $1 = ANY(jobs) LIMIT 1`,
    }, [job]);
    return rows.length > 0;
  }

  /** Listens to every change. */
  watch(listener: (event: TaskEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts to take and run tasks. */
  work(options: WorkOptions): WorkHandle {
    this.#checkOpen();
    const { jobs } = options;
    const shared = { database: this.#database, store: this.#store, worker: crypto.randomUUID(), jobs };
    const claims = new Claims({ ...shared, lose: (id) => runner.lose(id) });
    const lease = new Lease({
      ...shared,
      duration: this.#lease,
      renewed: async () => {
        runner.wake();
        await claims.releaseUnknown();
      },
    });
    const runner = new Runner(claims, options, lease.ready);
    let stopping: Promise<void> | undefined;
    const stop = (grace: number) => {
      const stopped = runner.stop(grace); // Called again, it shortens the grace.
      return stopping ??= stopped.then(() => lease[Symbol.asyncDispose]()).finally(() => this.#workers.delete(worker));
    };
    const worker: PostgresWorker = { jobs, claims, runner, stop };
    this.#workers.add(worker);
    return { ready: runner.ready, stop };
  }

  /** Closes the connections; workers that still run are stopped without grace. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#sweeper[Symbol.asyncDispose]();
    await Promise.all([...this.#workers].map(({ stop }) => stop(0)));
    await this.#log?.[Symbol.asyncDispose]();
    this.#listeners.clear();
    await this.#database[Symbol.asyncDispose]();
  }

  #tell(event: TaskEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
    for (const { jobs, claims, runner } of this.#workers) {
      claims.hear(event);
      if (event.kind === "gap") {
        runner.recheck();
        continue;
      }
      runner.receive(event.task);
      // That a task may run now is told by a notification. When a delayed one may, only its event tells.
      if ("dueAt" in event.task && jobs.includes(event.task.job)) runner.wake();
    }
  }

  #wakeWorkers(): void {
    for (const { runner } of this.#workers) runner.wake();
  }

  #now(): number {
    return Math.round(this.#database.now);
  }

  #checkOpen(): void {
    if (this.#closing) throw new BackendError("Cannot use PostgreSQL: the backend is closed.");
  }
}
