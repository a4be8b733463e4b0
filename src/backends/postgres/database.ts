/**
 * Connections to PostgreSQL: queries that end in time, and the database's clock.
 *
 * @module
 */
import type * as pg from "./pg.ts";
import { BackendError, DefinitionError, JobsError } from "../../errors.ts";
import { messageOf } from "../../text.ts";

/** How long one attempt to connect may take, in ms. */
const CONNECT_MS = 1_500;

/** How long a query may take before its connection counts as lost, in ms. */
const QUERY_MS = 5_000;

/**
 * Every statement finds its rows by an index. Without this, a connection that prepared a statement while the tables were
 * small would go on to read them whole, and what looks dear because of this would be compiled first.
 */
const PLANS = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";

/** A statement; with a name, each connection prepares it once. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

/** Runs statements: the pool of a database, or one connection in a transaction. */
export interface Queries {
  readonly run: <Row>(statement: Statement, values?: readonly unknown[]) => Promise<readonly Row[]>;
}

/** One database and schema. */
export class Database implements Queries, AsyncDisposable {
  /** The schema's name, quoted for SQL. */
  readonly schema: string;
  readonly #pg: pg.Module;
  readonly #url: string;
  readonly #pool: pg.Pool;
  /** What the database's clock was ahead of `performance.now()`, in ms, when it was last read. */
  #ahead = 0;

  private constructor(module: pg.Module, url: string, schema: string, max: number) {
    this.#pg = module;
    this.#url = url;
    this.schema = module.escapeIdentifier(schema);
    this.#pool = new module.Pool({
      connectionString: url,
      options: PLANS,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: QUERY_MS,
      max,
    });
    // Each query tells of its own failure; an error of an idle connection only means that the next query opens another.
    this.#pool.on("error", () => {});
  }

  /** Opens the pool, and reads the clock. Rejects with `BackendError` if the database does not answer, and with `DefinitionError` for no URL. */
  static async open(url: string, schema: string, max: number): Promise<Database> {
    if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
      // It is not quoted, because a password may stand in it.
      throw new DefinitionError(
        "Cannot connect to PostgreSQL: the URL is not valid. Use postgres://user:password@host:5432/database.",
      );
    }
    const { default: module }: { default: pg.Module } = await import("pg");
    const database = new Database(module, url, schema, max);
    try {
      await database.readClock();
      return database;
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The database's time, in ms since the epoch. No step of this machine's clock changes it. */
  get now(): number {
    return performance.now() + this.#ahead;
  }

  /** Reads the database's clock anew. */
  async readClock(): Promise<void> {
    const asked = performance.now();
    const [row] = await this.run<{ now: number }>(CLOCK, []);
    if (row) this.#ahead = row.now - (asked + performance.now()) / 2;
  }

  /** Runs one statement on any connection. Rejects with `BackendError`. */
  readonly run = async <Row>(statement: Statement, values: readonly unknown[] = []): Promise<readonly Row[]> => {
    try {
      return (await this.#pool.query<Row>({ ...statement, values })).rows;
    } catch (cause) {
      throw failure(cause);
    }
  };

  /** Runs `work` in one transaction, which is rolled back if it rejects. */
  async transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    let client: pg.PoolClient | undefined;
    try {
      const lent = client = await this.#pool.connect();
      await lent.query("BEGIN");
      const result = await work({
        run: async <Row>(statement: Statement, values: readonly unknown[] = []) =>
          (await lent.query<Row>({ ...statement, values })).rows,
      });
      await lent.query("COMMIT");
      lent.release();
      return result;
    } catch (cause) {
      client?.release(true); // Closing the connection rolls back, whatever state it is in.
      throw failure(cause);
    }
  }

  /** A connection of its own, not yet open, for what is to listen. */
  client(): pg.Client {
    return new this.#pg.Client({ connectionString: this.#url, connectionTimeoutMillis: CONNECT_MS });
  }

  /** Closes all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}

const CLOCK: Statement = {
  name: "mcp_jobs_clock",
  text: "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now",
};

/** What a failure of PostgreSQL is told as. The text of its errors holds no password. */
export function failure(cause: unknown): unknown {
  if (cause instanceof JobsError) return cause;
  return new BackendError(`PostgreSQL failed: ${messageOf(cause)}${ADVICE[codeOf(cause)] ?? ""}`, { cause });
}

/** The SQLSTATE of an error, or the code of a socket's error. */
export function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

const ADVICE: { readonly [code: string]: string } = {
  "28P01": ". Check the user and the password of the URL.",
  "3D000": ". Create the database, or correct its name in the URL.",
  "42501": ". Grant this user the rights that docs/postgres.md lists.",
  "42P01": ". Run PostgresBackend.migrate({ url }) once.",
  "3F000": ". Run PostgresBackend.migrate({ url }) once.",
  "25006": ". Connect to the primary server, not to a replica.",
  "ECONNREFUSED": ". Check that the server runs at the URL's host and port.",
};
