/**
 * The tables, in versions, and the check that they fit this code. docs/postgres.md says what each table holds. No
 * indexed column of `tasks` ever changes, so that its updates are HOT.
 *
 * @module
 */
import type { Database } from "../connecting/database.ts";
import { BackendError } from "../../../errors.ts";

/** For tables whose rows are soon deleted. */
const OFTEN = "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000";

/** The statements that lead from one version to the next; the first ones make the tables. */
export type Step = (schema: string) => string;

/**
 * Each runs in one transaction. Never change a released one. lz4 takes a fifth of the time of PostgreSQL's own method.
 * PostgreSQL 13 does not have it, and some builds do not either.
 */
export const STEPS: readonly Step[] = [
  (schema) => `
    CREATE TABLE ${schema}.tasks (
      id uuid PRIMARY KEY, owner text COLLATE "C" NOT NULL, job text COLLATE "C" NOT NULL, version integer NOT NULL,
      state text NOT NULL, record text NOT NULL, holder uuid, claimed_at float8, input text NOT NULL, outcome text
    ) WITH (fillfactor = 50);
    CREATE INDEX ON ${schema}.tasks (owner, id);
    CREATE INDEX ON ${schema}.tasks (job, id);
    CREATE TABLE ${schema}.queue (
      job text COLLATE "C", delayed boolean, priority float8, due_at timestamptz, id uuid, version integer,
      PRIMARY KEY (job, delayed, priority, due_at, id, version)
    ) WITH (${OFTEN});
    CREATE INDEX ON ${schema}.queue (due_at) WHERE delayed;
    CREATE TABLE ${schema}.claims (
      worker uuid, seq bigint GENERATED ALWAYS AS IDENTITY, ids uuid[] NOT NULL, PRIMARY KEY (worker, seq)
    ) WITH (${OFTEN});
    CREATE TABLE ${schema}.limits (
      job text COLLATE "C" PRIMARY KEY, changes bigint NOT NULL DEFAULT 0, claimed uuid[] NOT NULL DEFAULT '{}',
      since float8 NOT NULL DEFAULT 0, begun integer NOT NULL DEFAULT 0
    ) WITH (fillfactor = 50);
    CREATE TABLE ${schema}.workers (
      name uuid PRIMARY KEY, jobs text[] NOT NULL, expires_at timestamptz NOT NULL, pauses integer NOT NULL DEFAULT 0,
      host text NOT NULL, pid integer NOT NULL, since float8 NOT NULL
    );
    CREATE TABLE ${schema}.events (
      seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), writer uuid NOT NULL,
      holder uuid, claimed_at float8, tasks text NOT NULL, document text
    ) WITH (${OFTEN});
    CREATE TABLE ${schema}.counts (
      seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job text COLLATE "C" NOT NULL, state text NOT NULL,
      tasks bigint NOT NULL
    ) WITH (${OFTEN});
    CREATE TABLE ${schema}.marks (status text COLLATE "C", id uuid, PRIMARY KEY (status, id));
    CREATE TABLE ${schema}.expiries (
      seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, expires_at timestamptz NOT NULL, ids uuid[] NOT NULL
    );
    CREATE INDEX ON ${schema}.expiries (expires_at);
    CREATE TABLE ${schema}.steps (id uuid, number integer, body text NOT NULL, PRIMARY KEY (id, number));
    CREATE TABLE ${schema}.logs (
      id uuid, version integer, lines integer NOT NULL, size integer NOT NULL, body text NOT NULL, PRIMARY KEY (id, version)
    );
    CREATE TABLE ${schema}.keys (
      owner text, name text, named text NOT NULL, expires_at timestamptz NOT NULL, PRIMARY KEY (owner, name)
    );
    CREATE INDEX ON ${schema}.keys (expires_at);
    CREATE TABLE ${schema}.streams (
      stream text, id text COLLATE "C", body text NOT NULL, expires_at timestamptz NOT NULL, PRIMARY KEY (stream, id)
    );
    CREATE INDEX ON ${schema}.streams (expires_at);
    CREATE TABLE ${schema}.documents (name text COLLATE "C" PRIMARY KEY, body text NOT NULL);
    BEGIN
      EXECUTE $alter$
        ALTER TABLE ${schema}.events ALTER tasks SET COMPRESSION lz4;
        ALTER TABLE ${schema}.tasks ALTER record SET COMPRESSION lz4, ALTER input SET COMPRESSION lz4,
          ALTER outcome SET COMPRESSION lz4;
        ALTER TABLE ${schema}.steps ALTER body SET COMPRESSION lz4;
        ALTER TABLE ${schema}.logs ALTER body SET COMPRESSION lz4;
        ALTER TABLE ${schema}.streams ALTER body SET COMPRESSION lz4;
      $alter$;
    EXCEPTION WHEN syntax_error OR feature_not_supported THEN NULL;
    END;`,
];

/** The tables that this code writes. Others may have tables in the same schema. */
const TABLES = [
  ...["tasks", "queue", "claims", "limits", "workers", "events", "counts", "marks", "expiries", "steps", "logs"],
  ...["keys", "streams", "documents"],
];

/** The advisory lock that lets one server migrate at a time: "mcpj" as a number. */
const LOCK = 0x6d63706a;

/** Makes or updates the tables; does nothing where they are up to date. */
export async function migrate(database: Database, steps: readonly Step[] = STEPS): Promise<void> {
  const { run, schema } = database;
  const version = await versionOf(database, steps.length);
  for (const [index, step] of steps.entries()) {
    if (index >= version) await run({ text: transaction(schema, step(schema), index + 1) });
  }
  await versionOf(database, steps.length);
}

/**
 * Runs a step unless another server has done so. The right to create a schema is needed only if there is none. The role's time
 * limits and isolation are those of its other statements.
 */
function transaction(schema: string, step: string, version: number): string {
  return `SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
  DO $migrate$ BEGIN
    PERFORM pg_advisory_xact_lock(${LOCK});
    IF to_regnamespace('${schema.replaceAll("'", "''")}') IS NULL THEN CREATE SCHEMA ${schema}; END IF;
    CREATE TABLE IF NOT EXISTS ${schema}.migrations (version integer PRIMARY KEY, at timestamptz NOT NULL);
    IF (SELECT coalesce(max(version), 0) FROM ${schema}.migrations) = ${version - 1} THEN
      ${step}
      INSERT INTO ${schema}.migrations VALUES (${version}, now());
    END IF;
  END $migrate$`;
}

/** Rejects with `BackendError` if the tables are not of the `latest` version, or if this user cannot write to them. */
export async function checkSchema(database: Database, latest: number = STEPS.length): Promise<void> {
  const { run, schema } = database;
  const version = await versionOf(database, latest);
  if (version < latest) {
    const what = version === 0
      ? "has no tables of mcp-jobs"
      : `has tables of version ${version}, this code needs ${latest}`;
    throw unusable(
      `the schema ${schema} ${what}. Run mcp-jobs migrate, or PostgresBackend.migrate, with the same URL and schema.`,
    );
  }
  const [rights] = await run<{ missing: string | null }>({
    text: `SELECT string_agg(name || ' (' || kind || ')', ', ') AS missing
      FROM unnest($1::text[]) AS name, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS kind
      WHERE NOT has_table_privilege($2 || '.' || name, kind)`,
  }, [TABLES, schema]);
  if (rights?.missing) {
    throw unusable(
      `this user lacks rights in ${schema}: ${rights.missing}. Grant them; docs/postgres.md has the commands.`,
    );
  }
}

/**
 * The version of the tables; 0 if there are none. Rejects with `BackendError` if it is newer than this code, or if this
 * database cannot store tasks.
 */
async function versionOf({ run, schema }: Database, latest: number): Promise<number> {
  const [state] = await run<{ there: boolean; readOnly: boolean; encoding: string }>({
    text: `SELECT to_regclass($1) IS NOT NULL AS there, current_setting('server_encoding') AS encoding,
      pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS "readOnly"`,
  }, [`${schema}.migrations`]);
  if (state === undefined) return 0;
  if (state.readOnly) {
    throw unusable(
      "this database is read-only. Connect to the primary server, and as a user without default_transaction_read_only.",
    );
  }
  // SQL_ASCII stores texts as they come.
  if (!["UTF8", "SQL_ASCII"].includes(state.encoding)) {
    throw unusable(
      `this database stores texts as ${state.encoding}, which lacks most characters. Use one with ENCODING 'UTF8'.`,
    );
  }
  if (!state.there) return 0;
  const [row] = await run<{ version: number | null }>({
    text: `SELECT max(version) AS version FROM ${schema}.migrations`,
  });
  const version = row?.version ?? 0;
  if (version > latest) {
    throw unusable(
      `the tables in ${schema} have version ${version}, this code knows ${latest}. Update mcp-jobs here to the version ` +
        "that made them. If that was before its first release, they cannot be used: name another schema, or drop this one.",
    );
  }
  return version;
}

function unusable(why: string): BackendError {
  return new BackendError(`Cannot use PostgreSQL: ${why}`);
}
