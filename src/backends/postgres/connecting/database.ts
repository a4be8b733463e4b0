/**
 * Connections to PostgreSQL, whose queries have a time limit, and the database's clock.
 *
 * @module
 */
import * as pg from "./pg.ts";
import { BackendError } from "../../../errors.ts";
import { messageOf } from "../../../text.ts";
import { doneWithin } from "../../../waiting.ts";
import { Deadline, inTime } from "../../shared/deadline.ts";
import { codeOf, failure, isUnreachable } from "./failures.ts";
import { parseUrl, placeOf, withSettings } from "./url.ts";

/** How long one attempt to connect may take, and how long a query waits for a connection, in ms. */
const CONNECT_MS = 1_500;
const WAIT_MS = 2_000;

/** How long a query may take before its connection counts as lost, in ms. */
const QUERY_MS = 5_000;

/** How long a query waits before a new connection probes the server, and how long the probe may take, in ms. */
const PATIENCE_MS = 1_000;
const PROBE_MS = 800;

/**
 * The codes of statements that were certainly not carried out, so that they are run again: an idle connection was closed
 * before the server read them, or the role has a stricter isolation, under which statements that conflict with others fail.
 * They are run again for as long as a query may take.
 */
const AGAIN = ["57P05", "40001"];

/** The code of a server that takes no writes: it is a replica, most likely since a failover. */
const READ_ONLY = "25006";

/** How long the server has to close the connections, in ms; then they are cut off. */
const CLOSE_MS = 1_000;

/**
 * The settings of each connection. Statements are planned once, and use indexes even if the tables are small then: such a
 * plan would go on reading whole tables, and JIT compilation would cost more than it saves. A stricter isolation would fail
 * statements that only have to wait for others. The server cancels a statement some time after this process has given up
 * waiting, so that it does not commit unexpectedly.
 */
const SETTINGS = [
  ...["seqscan", "bitmapscan", "hashjoin", "mergejoin"].map((plan) => `enable_${plan}=off`),
  "plan_cache_mode=force_generic_plan",
  "jit=off",
  "default_transaction_isolation=read\\ committed",
  `statement_timeout=${2 * QUERY_MS}`,
].map((setting) => `-c ${setting}`).join(" ");

export class Database implements AsyncDisposable {
  /** The schema's name, quoted for SQL. */
  readonly schema: string;
  readonly #url: string;
  readonly #Client: pg.Module["Client"];
  readonly #pool: pg.Pool;
  readonly #pooled: boolean;
  #prepares: boolean;
  /** Every open connection, and whether a query is using it. */
  readonly #connections = new Map<pg.Client, boolean>();
  readonly #waits = new Deadline("timeout exceeded when trying to connect", WAIT_MS);
  #probing: Promise<void> | undefined;
  #closing = false;
  /** How many calls of `run` have not ended. */
  #running = 0;
  /** Resolves once none is running, while this is awaited. */
  #idle: PromiseWithResolvers<void> | undefined;
  /** How far the database's clock is ahead of `performance.now()`, in ms, as far as all readings of it tell. */
  #ahead: number | undefined;

  private constructor(module: pg.Module, url: string, schema: string, max: number, pooled: boolean, most: number) {
    this.#pooled = pooled;
    this.#prepares = !pooled;
    this.#url = url;
    this.schema = module.escapeIdentifier(schema);
    this.#Client = pg.limited(module, CONNECT_MS, most);
    const place = pooled ? { connectionString: url } : withSettings(url, SETTINGS);
    this.#pool = new module.Pool({ ...place, Client: this.#Client, pipeline: !pooled, max });
    // Each query reports its own failure. After an error of an idle connection the next query opens another one.
    this.#pool.on("error", () => {});
    for (const event of ["connect", "acquire"] as const) {
      this.#pool.on(event, (client) => void this.#connections.set(client, true));
    }
    this.#pool.on("release", (_, client) => void this.#connections.set(client, false));
    this.#pool.on("remove", (client) => void this.#connections.delete(client));
  }

  /**
   * Opens up to `max` connections, and reads the clock. `pooled`: a pooler lends each for one transaction, so statements
   * are not prepared and no session settings are made. `most`: how long a query may take, in ms; 0: as long as the server is
   * there. Rejects with `BackendError` if the database does not answer, and with `DefinitionError` for no URL.
   */
  static async open(url: string, schema: string, max: number, pooled = false, most = QUERY_MS): Promise<Database> {
    const place = placeOf(parseUrl(url));
    const { default: module }: { default: pg.Module } = await import("pg");
    const database = new Database(module, url, schema, max, pooled, most);
    try {
      // A pooler may have dropped the settings: a plan for small tables must not be kept then.
      const text = "SELECT current_setting('plan_cache_mode') AS mode";
      const [row] = await database.run<{ mode: string }>({ text });
      database.#prepares = !pooled && row?.mode === "force_generic_plan";
      await database.readClock(); // On a connection that is open by now: it takes long to connect.
      return database;
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw failure(error instanceof BackendError ? error.cause : error, `Cannot connect to PostgreSQL at ${place}`);
    }
  }

  /**
   * Rejects with `BackendError` if a pooler lends connections for one transaction: two that are open then lead to the same
   * process of the server. Nothing else may show that no notification will arrive.
   */
  async refuseLent(): Promise<void> {
    const query = { text: "SELECT pg_backend_pid() AS pid" };
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#connect();
      const { rows: [one] } = await client.query<{ pid: number }>(query);
      const [other] = await this.run<{ pid: number }>(query);
      if (one?.pid === other?.pid) throw new Error("a pooler lends its connections for one transaction");
    } catch (error) {
      throw failure(error, "Cannot listen to PostgreSQL");
    } finally {
      client?.release();
    }
  }

  /** The database's time, in ms since the epoch. Setting this machine's clock does not change it. */
  get now(): number {
    return performance.now() + (this.#ahead ?? 0);
  }

  /** Reads the database's clock anew. */
  readonly readClock = async (): Promise<void> => {
    const asked = performance.now();
    const text = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now";
    const [row] = await this.run<{ now: number }>({ name: "mcp_jobs_clock", text });
    if (row === undefined) return;
    // A quick answer is exact. A slow one only counts as far as it shows that a clock was set.
    const [least, most] = [row.now - performance.now(), row.now - asked];
    this.#ahead = Math.min(Math.max(this.#ahead ?? (least + most) / 2, least), most);
  };

  /**
   * Runs one statement on any connection, and right behind it `next`, whose answer is not awaited. Rejects with
   * `BackendError` if the first one fails. `until`: until when it is run again after an error of `AGAIN`.
   */
  readonly run = async <Row>(
    query: pg.Query,
    values: readonly unknown[] = [],
    next?: pg.Query,
    until: number = performance.now() + QUERY_MS,
  ): Promise<readonly Row[]> => {
    this.#running++;
    try {
      const first = this.#named({ ...query, values });
      const send = () => this.#send<Row>(first, next && this.#named(next));
      const answer = send().catch((error) => messageOf(error) === pg.NOT_SENT ? send() : Promise.reject(error));
      while (!await doneWithin(answer, PATIENCE_MS)) {
        if (!this.#closing) this.#probing ??= this.#probe().finally(() => this.#probing = undefined);
        await Promise.race([answer, this.#probing ?? answer]);
      }
      return (await answer).rows;
    } catch (cause) {
      if (AGAIN.includes(codeOf(cause)) && performance.now() < until) return await this.run(query, values, next, until);
      if (messageOf(cause) === pg.SILENCE || codeOf(cause) === READ_ONLY) this.cutOffIdle();
      throw failure(cause);
    } finally {
      if (--this.#running === 0) this.#idle?.resolve();
    }
  };

  /** Without its name, a statement is not prepared. */
  #named({ name, ...query }: pg.Query): pg.Query {
    return this.#prepares ? { ...query, name } : query;
  }

  /** Sends statements on one connection, the second without waiting for the first. Each is a transaction of its own. */
  async #send<Row>(first: pg.Query, second?: pg.Query): Promise<{ readonly rows: readonly Row[] }> {
    const client = await this.#connect();
    // In one write to the socket: a second write could fail and hide why the server has closed the connection.
    const stream = this.#pooled ? undefined : client.connection?.stream;
    stream?.cork();
    let answer;
    try {
      answer = client.query<Row>(first);
      if (this.#pooled) await answer.catch(() => {}); // Its caller gets the error.
      void Promise.all([answer, second && client.query(second)]).then(
        () => client.release(),
        (error) => client.release(error),
      );
    } finally {
      stream?.uncork();
    }
    return await answer;
  }

  /** Takes a connection from the pool. */
  async #connect(): Promise<pg.PoolClient> {
    const connecting = this.#pool.connect();
    try {
      return await this.#waits.wait(connecting);
    } catch (error) {
      connecting.then((client) => client.release(), () => {}); // Nobody uses it any more.
      throw error;
    }
  }

  /**
   * Finds out whether the server is there. If it does not answer, all connections from before this probe are closed, and their
   * statements reject. Connections that it accepts during the probe stay: there it answers again.
   */
  async #probe(): Promise<void> {
    const connections = [...this.#connections.keys()];
    const client = this.client();
    try {
      await inTime(client.connect().then(() => client.query("SELECT 1")), pg.SILENCE, PROBE_MS);
    } catch (error) {
      if (isUnreachable(error)) connections.forEach(pg.cutOff);
    } finally {
      pg.close(client);
    }
  }

  /**
   * Closes all idle connections. If one leads to a server that is silent or no longer takes writes, so do the others, and
   * each would cost a failed call.
   */
  cutOffIdle(): void {
    for (const [client, isInUse] of this.#connections) if (!isInUse) pg.cutOff(client);
  }

  /** A connection of its own, not yet open. */
  client(): pg.Client {
    return new this.#Client({ connectionString: this.#url });
  }

  /** Closes all connections, also those to a server that does not answer: what runs there rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true; // A probe that begins now would outlive it; what runs ends with its connection.
    const ended = this.#pool.end();
    const closed = Promise.withResolvers<void>();
    this.#pool.on("remove", () => this.#connections.size === 0 && closed.resolve());
    if (this.#connections.size === 0) closed.resolve();
    if (!await doneWithin(closed.promise, CLOSE_MS)) [...this.#connections.keys()].forEach(pg.cutOff);
    await Promise.all([ended, closed.promise, this.#probing]);
    // What waited for a connection gets none, but its timer has to end.
    this.#idle = Promise.withResolvers();
    if (this.#running > 0) await this.#idle.promise;
  }
}
