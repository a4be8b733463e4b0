/**
 * One PostgreSQL for the tests of a process, and tables that are emptied between them: to start a server and to make the
 * tables takes more processor time than most tests. Tests that change the server, or kill it, start their own.
 *
 * @module
 */
import pg from "pg";
import { PostgresBackend } from "../../mod.ts";
import { noOwnPostgres, noPostgres, PostgresServer } from "../../tools/postgres_server.ts";

// Started before the first test, so that it belongs to none.
const server = noPostgres === undefined ? await PostgresServer.start() : undefined;

/** The same one, or another where POSTGRES_URL names that: this one can be stopped, and let go on. */
export const ownPostgres: PostgresServer | undefined = server?.data === undefined && noOwnPostgres === undefined
  ? await PostgresServer.startOwn()
  : server;

globalThis.addEventListener("unload", () => new Set([server, ownPostgres]).forEach((one) => one?.end()));

/** The database of each server whose tables were made. */
const databases = new WeakMap<PostgresServer, string>();

/**
 * The connection that empties the tables of the shared server. It stays open: each new one would read the catalog again,
 * which takes more processor time than many a test.
 */
let cleaner: pg.Client | undefined;

/** The server that the tests of this process share. */
export function sharedPostgres(): PostgresServer {
  if (server === undefined) throw new Error(`There is no PostgreSQL: ${noPostgres}. Leave this test out.`);
  return server;
}

/**
 * The URL of a database whose tables, in the schema `mcp_jobs`, are empty: one for all tests of a process on a server, by
 * default the shared one. A test that kills the server names it. Whatever is connected to the database when the next test
 * asks for it is cut off.
 */
export async function emptyTables(killed?: PostgresServer): Promise<string> {
  const server = killed ?? sharedPostgres();
  const known = databases.get(server);
  if (known === undefined) {
    const url = await server.makeDatabase();
    await PostgresBackend.migrate({ url });
    databases.set(server, url);
    if (killed === undefined) cleaner = await connect(url);
    return url;
  }
  const client = (killed === undefined ? cleaner : undefined) ?? await connect(known);
  await client.query(EMPTY).finally(() => client === cleaner ? undefined : client.end());
  return known;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => cleaner = undefined); // The server ends with the process.
  await client.connect();
  return client;
}

/** Ends what others do, and deletes all rows. The newest event stays, because events are numbered on. */
const EMPTY = `DO $$ DECLARE name text; BEGIN
  LOOP
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';
    EXIT WHEN NOT FOUND;
    PERFORM pg_sleep(0.005), pg_stat_clear_snapshot();
  END LOOP;
  DELETE FROM mcp_jobs.events WHERE seq < (SELECT max(seq) FROM mcp_jobs.events);
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'mcp_jobs' AND tablename NOT IN ('events', 'migrations') LOOP
    EXECUTE format('DELETE FROM mcp_jobs.%I', name);
  END LOOP;
END $$`;
