/**
 * A queue on PostgreSQL for one run: on the one that POSTGRES_URL names, in a schema that is dropped at the end, or on one
 * that is started for the run and ends with it.
 *
 * @module
 */
import pg from "pg";
import { noOwnPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import type { RunQueue } from "./run_queue.ts";

/** Uses a PostgreSQL or starts one. Rejects with an error that says how to get one. */
export async function openPostgresQueue(): Promise<RunQueue> {
  const named = Deno.env.get("POSTGRES_URL");
  if (named) return await use(named);
  if (noOwnPostgres !== undefined) {
    throw new Error(
      "there is no PostgreSQL: POSTGRES_URL is not set, and its programs are not installed.\nInstall it (`apt-get install " +
        "postgresql`, `brew install postgresql`), or set POSTGRES_URL=postgres://user:password@host:port/database. " +
        "Without `--backend postgres` the example needs none.",
    );
  }
  const server = await PostgresServer.startOwn();
  return {
    ...toQueue(server.url, `a postgres for this run, on port ${new URL(server.url).port}`, "mcp_jobs"),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Uses a PostgreSQL that may be shared with others. */
async function use(url: string): Promise<RunQueue> {
  const schema = `mcp_jobs_example_${crypto.randomUUID()}`;
  await query(url, "SELECT 1");
  return {
    ...toQueue(url, "the one that POSTGRES_URL names", schema),
    [Symbol.asyncDispose]: () => query(url, `DROP SCHEMA IF EXISTS "${schema}" CASCADE`),
  };
}

function toQueue(url: string, about: string, schema: string) {
  // The URL may contain a password, and every user can read the arguments of a process.
  const options = ["--backend=postgres", `--schema=${schema}`];
  return { about: `PostgreSQL: ${about}`, options, env: { POSTGRES_URL: url } };
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 5_000 });
  client.on("error", () => {}); // The call reports it, too.
  try {
    await client.connect();
    await client.query(sql);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    throw new Error(`PostgreSQL, the one that POSTGRES_URL names, cannot be used: ${reason}`, { cause });
  } finally {
    await client.end();
  }
}
