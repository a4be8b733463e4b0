/**
 * The backend on PostgreSQL, for any number of machines. It needs no extension and no superuser.
 *
 * @module
 */
import type { BackendOptions } from "../../backend.ts";
import { type OnError, reporterOf } from "../../log/on_error.ts";
import { callback, checkOptions, flag, required, type Rule, type Rules, text, wholeNumber } from "../../options.ts";
import { byteLength } from "../../text.ts";
import { doneWithin, LONGEST_TIMER_MS } from "../../waiting.ts";
import { refuseMade } from "../shared/refusals.ts";
import { StoreBackend } from "../shared/store/backend.ts";
import type { Hub } from "../shared/store/hub.ts";
import { Sweeper } from "../shared/sweeper.ts";
import { Database } from "./connecting/database.ts";
import { EventLog } from "./events.ts";
import { OrderedHub } from "../shared/store/ordered_hub.ts";
import { deleteExpired } from "./tables/expiry.ts";
import { checkSchema, migrate } from "./tables/schema.ts";
import { PostgresStore } from "./store.ts";
import { Writer } from "./writer.ts";

/** Where the tables are. */
export interface PostgresPlace {
  /** The database, as `postgres://user:password@host:5432/database`. */
  readonly url: string;
  /** The schema of the tables; default `mcp_jobs`. Several systems can share a database, each with its own schema. */
  readonly schema?: string;
}

/** What {@linkcode PostgresBackend.connect} takes. */
export interface PostgresOptions extends PostgresPlace, BackendOptions {
  /** After how long a silent worker counts as dead, in ms; default 10,000, at least 300. Its tasks then run again. */
  readonly lease?: number;
  /** The most connections of this process, besides the one that listens; default 6, at least 3. */
  readonly pool?: number;
  /**
   * Whether a connection listens for notifications; default `true`. `false` is for a pooler that lends connections for one
   * transaction, such as PgBouncer: events are read every 250 ms instead, and no statement is prepared.
   */
  readonly listen?: boolean;
}

/** How often expired rows are deleted, how many at once, and the pause before the next page, in ms. */
const SWEEP_MS = 30_000;
const SWEEP_PAGE = 500;
const SWEEP_PAUSE_MS = 20;

/** How long closing waits for statements under way, in ms. */
const CLOSE_MS = 1_000;

/** PostgreSQL would cut a longer name off. */
const SCHEMA: Rule = {
  expected: "a text of 1 to 63 bytes",
  fits: (value) => typeof value === "string" && /^[^\0]+$/.test(value) && byteLength(value) <= 63,
};

const PLACE: Rules<PostgresPlace> = { url: required(text), schema: SCHEMA };

const OPTIONS: Rules<PostgresOptions> = {
  ...PLACE,
  lease: wholeNumber(300, LONGEST_TIMER_MS),
  pool: wholeNumber(3),
  listen: flag,
  onError: callback,
};

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
export class PostgresBackend extends StoreBackend {
  private constructor(store: PostgresStore, hub: Hub, opened: AsyncDisposable, onError: OnError) {
    refuseMade(store instanceof PostgresStore, "PostgresBackend.connect({ url })");
    super(store, hub, opened, { onError });
  }

  /**
   * Creates or updates the tables, however long that takes; does nothing if they are up to date. Several servers may do so
   * at once. Rejects with `BackendError` if the database does not answer, is read-only or not in UTF-8, or if the tables are
   * newer than this code, and with `DefinitionError` for invalid options.
   */
  static async migrate(place: PostgresPlace): Promise<void> {
    checkOptions("PostgresBackend.migrate", place, PLACE);
    const { url, schema = "mcp_jobs" } = place;
    await using database = await Database.open(url, schema, 1, true, 0);
    await migrate(database);
  }

  /**
   * Connects. Rejects with `BackendError` if the database does not answer, is read-only or not in UTF-8, or has other
   * tables than this code needs, and with `DefinitionError` for invalid options.
   */
  static async connect(options: PostgresOptions): Promise<PostgresBackend> {
    checkOptions("PostgresBackend.connect", options, OPTIONS);
    const { url, schema = "mcp_jobs", lease = 10_000, pool = 6, listen = true } = options;
    const onError = reporterOf(options.onError);
    const opened = new AsyncDisposableStack();
    try {
      const database = opened.use(await Database.open(url, schema, pool, !listen));
      await checkSchema(database);
      if (listen) await database.refuseLent();
      const hub = new OrderedHub();
      const name = crypto.randomUUID();
      const log = await EventLog.open(database, { writer: name, listens: listen, listener: hub, onError });
      const writer = new Writer(database, name, hub, log);
      const sweeper = new Sweeper({
        what: "delete what has expired in PostgreSQL",
        every: SWEEP_MS,
        page: async () => {
          await database.readClock(); // It may have been set, or this process may have been frozen.
          return await deleteExpired(database, SWEEP_PAGE);
        },
        pause: SWEEP_PAUSE_MS,
        onError,
      });
      // Both may wait for a server that does not answer, until its connections are closed.
      opened.defer(async () => {
        await doneWithin(Promise.all([sweeper, log].map((one) => one[Symbol.asyncDispose]())), CLOSE_MS);
      });
      return new PostgresBackend(new PostgresStore(database, writer, lease), hub, opened, onError);
    } catch (error) {
      await opened.disposeAsync();
      throw error;
    }
  }
}
