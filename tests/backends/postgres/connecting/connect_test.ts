import pg from "pg";
import { BackendError, DefinitionError, PostgresBackend } from "../../../../mod.ts";
import { Database } from "../../../../src/backends/postgres/connecting/database.ts";
import { checkSchema, migrate, STEPS } from "../../../../src/backends/postgres/tables/schema.ts";
import { noOwnPostgres, noPostgres, PostgresServer } from "../../../../tools/postgres_server.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { sharedPostgres } from "../../../support/postgres.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { newTask } from "../../../support/tasks.ts";

async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** What is said when `url` cannot be used. The password never is. */
async function refusal(url: string, use: "connect" | "migrate" = "connect"): Promise<string> {
  const { message } = await assertRejects(() => PostgresBackend[use]({ url }), BackendError);
  assertEquals(message.includes(PASSWORD), false, message);
  return message;
}

const PASSWORD = "s3cret";

/** The version of the tables. */
const LATEST = STEPS.length;

/** The URL of a database, as another user and perhaps with another password. */
function as(url: string, user: string, password = PASSWORD): string {
  const other = new URL(url);
  [other.username, other.password] = [user, password];
  return other.href;
}

for (const use of ["connect", "migrate"] as const) {
  Deno.test(`PostgreSQL: ${use} says so where no server answers`, async () => {
    const refused = `Cannot connect to PostgreSQL at 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1. ${CHECK}`;
    assertEquals(await refusal(`postgres://jobs:${PASSWORD}@127.0.0.1:1/jobs`, use), refused);
    const unknown = await refusal(`postgres://jobs:${PASSWORD}@no-host.invalid/jobs`, use);
    assertStringIncludes(unknown, "Cannot connect to PostgreSQL at no-host.invalid: ");
    assertStringIncludes(unknown, CHECK);

    await using stack = new AsyncDisposableStack();
    const listener = stack.adopt(Deno.listen({ hostname: "127.0.0.1", port: 0 }), (listener) => listener.close());
    const accepted = listener.accept();
    const silent = await refusal(`postgres://jobs:${PASSWORD}@127.0.0.1:${listener.addr.port}/jobs`, use);
    assertStringIncludes(silent, "connection timeout");
    assertStringIncludes(silent, CHECK);
    (await accepted).close();
  });
}

const CHECK = "Check that a PostgreSQL runs at the URL's host and port.";

testUnless(
  noOwnPostgres,
  "PostgreSQL: for a wrong or missing password, the error says so, and does not contain it",
  async () => {
    await using server = await PostgresServer.startOwn();
    const url = await server.makeDatabase();
    await query(url, `SET password_encryption = 'scram-sha-256'; CREATE ROLE jobs LOGIN PASSWORD '${PASSWORD}'`);
    await server.askForPasswords();
    const advice = "Check the user and the password of the URL, and whether pg_hba.conf lets this user in.";
    const wrong = async () => await refusal(as(url, "jobs", "wrong"));
    await until(
      async () => (await wrong()).includes("password authentication failed"),
      "the server asks for passwords",
    );
    assertEquals((await wrong()).includes("wrong"), false);
    for (const use of ["connect", "migrate"] as const) {
      assertStringIncludes(await refusal(as(url, "jobs", "wrong"), use), `failed for user "jobs". ${advice}`);
      assertStringIncludes(await refusal(as(url, "nobody"), use), `failed for user "nobody". ${advice}`);
      assertStringIncludes(
        await refusal(as(url, "jobs", ""), use),
        "The server asks for a password: write it into the URL.",
      );
    }
    assertStringIncludes(await refusal(as(url, "jobs")), "has no tables of mcp-jobs");
  },
);

Deno.test({
  name: "PostgreSQL: connecting to a host that Deno does not permit is an error that names the flag",
  permissions: { env: true, net: false, read: true, sys: true },
  async fn() {
    const message = await refusal("postgres://localhost:5432/app");
    assertStringIncludes(message, "EPERM localhost. Give Deno the permission --allow-net=<host>:<port>.");
  },
});

testUnless(
  noPostgres,
  "PostgreSQL: for a missing database, missing tables or missing rights, the error says what to do",
  async () => {
    const url = await sharedPostgres().makeDatabase();
    const none = new URL(url);
    none.pathname = "/none";
    assertStringIncludes(await refusal(none.href), 'database "none" does not exist. Create the database');
    assertStringIncludes(
      await refusal(url),
      "has no tables of mcp-jobs. Run mcp-jobs migrate, or PostgresBackend.migrate, with the same URL and schema.",
    );

    const user = `u${crypto.randomUUID().replaceAll("-", "")}`; // Others may use the server, too.
    await query(url, `CREATE ROLE ${user} LOGIN PASSWORD '${PASSWORD}'`);
    const rights = "Grant this user the rights that docs/postgres.md lists.";
    assertStringIncludes(await refusal(as(url, user), "migrate"), `permission denied for database`);
    assertStringIncludes(await refusal(as(url, user), "migrate"), rights);

    await PostgresBackend.migrate({ url });
    assertStringIncludes(await refusal(as(url, user)), `permission denied for schema mcp_jobs. ${rights}`);
    await query(url, `GRANT USAGE ON SCHEMA mcp_jobs TO ${user}`);
    assertStringIncludes(await refusal(as(url, user)), `permission denied for table migrations. ${rights}`);
    await query(url, `GRANT SELECT ON ALL TABLES IN SCHEMA mcp_jobs TO ${user}`);
    const lacking = await refusal(as(url, user));
    assertStringIncludes(lacking, 'this user lacks rights in "mcp_jobs": ');
    const tables = await query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'mcp_jobs'");
    const written = tables.map(({ tablename }) => tablename).filter((name) => name !== "migrations");
    for (const name of written) assertStringIncludes(lacking, `${name} (DELETE)`);
    await query(url, `GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA mcp_jobs TO ${user}`);
    await using backend = await PostgresBackend.connect({ url: as(url, user) });
    await backend.check();
    await query(url, `ALTER ROLE ${user} SET default_transaction_read_only = on`);
    assertStringIncludes(await refusal(as(url, user)), "this database is read-only. Connect to the primary server");
    await query(url, `DROP OWNED BY ${user}; DROP ROLE ${user}`);
  },
);

testUnless(noOwnPostgres, "PostgreSQL: a replica is refused as read-only", async () => {
  await using server = await PostgresServer.startOwn();
  await PostgresBackend.migrate({ url: server.url });
  await using replica = await server.startReplica();
  for (const use of ["connect", "migrate"] as const) {
    assertStringIncludes(await refusal(replica.url, use), "this database is read-only. Connect to the primary server");
  }
});

testUnless(
  noPostgres,
  "PostgreSQL: for tables that are newer or older than the code, the error says what to do",
  async () => {
    const url = await sharedPostgres().makeDatabase();
    await PostgresBackend.migrate({ url });
    await using database = await Database.open(url, "mcp_jobs", 1);
    const older = await assertRejects(() => checkSchema(database, LATEST + 1), BackendError);
    const what = `has tables of version ${LATEST}, this code needs ${LATEST + 1}. Run mcp-jobs migrate, `;
    assertStringIncludes(older.message, what);
    await query(url, "INSERT INTO mcp_jobs.migrations VALUES (99, now())");
    for (const use of ["connect", "migrate"] as const) {
      assertStringIncludes(await refusal(url, use), `have version 99, this code knows ${LATEST}. Update mcp-jobs here`);
      assertStringIncludes(await refusal(url, use), "If that was before its first release");
    }
  },
);

testUnless(noPostgres, "options that cannot be are refused before anything is opened", async () => {
  const url = "postgres://127.0.0.1:1/none";
  await assertRejects(() => PostgresBackend.connect({ url, lease: 10 }), DefinitionError, "lease");
  await assertRejects(() => PostgresBackend.connect({ url, pool: 1 }), DefinitionError, "pool");
  const invalid = ["no URL with s3cret", "redis://jobs:s3cret@127.0.0.1", "postgres://jobs:s3cret@a b"];
  // With a raw character, the rest of the password would count as the host, a port, or a parameter.
  const raw = ["s3cret#1", "123#s3cret", "123/s3cret", "123?s3cret"];
  for (const url of [...invalid, ...raw.map((password) => `postgres://jobs:${password}@127.0.0.1:1/jobs`)]) {
    const error = await assertRejects(() => PostgresBackend.connect({ url }), DefinitionError, "the URL is not valid");
    assertEquals(/s3cret|123/.test(error.message), false, error.message);
  }
  for (const schema of ["", "a\0b", "x".repeat(64)]) {
    await assertRejects(() => PostgresBackend.connect({ url, schema }), DefinitionError, "schema");
  }
});

for (const isolation of ["read committed", "serializable"]) {
  testUnless(
    noPostgres,
    `servers that migrate at once make the tables once, and a second time changes nothing: ${isolation}`,
    async () => {
      const url = await sharedPostgres().makeDatabase();
      const database = new URL(url).pathname.slice(1);
      await query(url, `ALTER DATABASE ${database} SET default_transaction_isolation = '${isolation}'`);
      await Promise.all(Array.from({ length: 8 }, () => PostgresBackend.migrate({ url })));
      const versions = () => query(url, "SELECT version, at::text FROM mcp_jobs.migrations");
      const once = await versions();
      assertEquals(once.map(({ version }) => version), Array.from({ length: LATEST }, (_, index) => index + 1));
      await PostgresBackend.migrate({ url });
      assertEquals(await versions(), once);
    },
  );
}

testUnless(
  noPostgres,
  "tables of the version before are updated once, by one of the servers that migrate, and keep their tasks",
  async () => {
    const url = await sharedPostgres().makeDatabase();
    await PostgresBackend.migrate({ url });
    const task = newTask();
    {
      await using backend = await PostgresBackend.connect({ url });
      await backend.create(task);
    }
    const steps = [...STEPS, (schema: string) => `ALTER TABLE ${schema}.tasks ADD COLUMN next text DEFAULT 'filled';`];
    await using stack = new AsyncDisposableStack();
    const opening = Array.from({ length: 4 }, () => Database.open(url, "mcp_jobs", 1));
    const databases = (await Promise.all(opening)).map((database) => stack.use(database));
    await Promise.all(databases.map((database) => migrate(database, steps)));
    assertEquals(await query(url, "SELECT id, next FROM mcp_jobs.tasks"), [{ id: task.id, next: "filled" }]);
    const versions = await query(url, "SELECT version FROM mcp_jobs.migrations ORDER BY version");
    assertEquals(versions.map(({ version }) => version), steps.map((_, index) => index + 1));
    for (const database of databases) await checkSchema(database, steps.length);
  },
);

testUnless(noPostgres, "of a version whose statements fail nothing is left, and the tables can be used", async () => {
  const url = await sharedPostgres().makeDatabase();
  await PostgresBackend.migrate({ url });
  await using database = await Database.open(url, "mcp_jobs", 1);
  const next = (schema: string) => `CREATE TABLE ${schema}.next (id uuid); CREATE TABLE ${schema}.tasks (id uuid);`;
  await assertRejects(() => migrate(database, [...STEPS, next]), BackendError, '"tasks" already exists');
  const [row] = await query(url, "SELECT to_regclass('mcp_jobs.next') AS next, max(version) FROM mcp_jobs.migrations");
  assertEquals(row, { next: null, max: LATEST });
  await using backend = await PostgresBackend.connect({ url });
  await backend.check();
});

testUnless(
  noPostgres,
  "events, records, results, steps, logs and messages are compressed by lz4 if the server has it",
  async () => {
    const url = await sharedPostgres().makeDatabase();
    await PostgresBackend.migrate({ url });
    const known = "SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)";
    const columns = await query(
      url,
      `SELECT relname || '.' || attname AS name FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
      WHERE to_jsonb(pg_attribute) ->> 'attcompression' = 'l' AND relnamespace = 'mcp_jobs'::regnamespace AND relkind = 'r' ORDER BY 1`,
    );
    const large = [
      "events.tasks",
      "logs.body",
      "steps.body",
      "streams.body",
      "tasks.input",
      "tasks.outcome",
      "tasks.record",
    ];
    assertEquals(columns.map(({ name }) => name), (await query(url, known)).length === 0 ? [] : large);
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: for a role that may open one connection only, the error says what to raise",
  async () => {
    const url = await sharedPostgres().makeDatabase();
    const user = `u${crypto.randomUUID().replaceAll("-", "")}`; // Others may use the server, too.
    await query(url, `CREATE ROLE ${user} LOGIN CONNECTION LIMIT 1; CREATE SCHEMA mcp_jobs AUTHORIZATION ${user}`);
    await PostgresBackend.migrate({ url: as(url, user) });
    assertStringIncludes(
      await refusal(as(url, user)),
      `too many connections for role "${user}". Raise max_connections of the server or the limit of this user`,
    );
    await query(url, `DROP OWNED BY ${user}; DROP ROLE ${user}`);
  },
);

testUnless(noPostgres, "a role without rights beyond its own tables can migrate and work", async () => {
  const url = await sharedPostgres().makeDatabase();
  await query(url, "CREATE ROLE jobs LOGIN; CREATE SCHEMA mcp_jobs AUTHORIZATION jobs");
  await query(url, "CREATE TABLE mcp_jobs.of_somebody_else (id integer)");
  const own = new URL(url);
  own.username = "jobs";
  await PostgresBackend.migrate({ url: own.href });
  await using backend = await PostgresBackend.connect({ url: own.href });
  assertEquals(await backend.list("ann", { limit: 1 }), { tasks: [] });
});

testUnless(noPostgres, "a database that cannot store every character is refused", async () => {
  const url = await sharedPostgres().makeDatabase("template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
  for (const use of ["connect", "migrate"] as const) {
    assertStringIncludes(await refusal(url, use), "stores texts as LATIN1, which lacks most characters");
  }
});

testUnless(
  noPostgres,
  "migrate waits for another server that migrates, however long the role's statements may take",
  async () => {
    const url = await sharedPostgres().makeDatabase();
    await query(url, `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET statement_timeout = 1000`);
    await query(url, `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET lock_timeout = 1000`);
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await other.query("BEGIN; SET statement_timeout = 0; SELECT pg_advisory_xact_lock(x'6d63706a'::integer)");
    const migrating = PostgresBackend.migrate({ url });
    // Longer than any other statement may take.
    const waits =
      "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND query_start < now() - interval '6 s' " +
      "AND datname = current_database()";
    await until(async () => (await query(url, waits)).length === 1, "it has waited for 6 s");
    await other.query("COMMIT");
    await other.end();
    await migrating;
    await using _backend = await PostgresBackend.connect({ url });
  },
);

testUnless(
  noPostgres,
  "a role that may only write needs no further rights for migrate if the tables are up to date",
  async () => {
    const url = await sharedPostgres().makeDatabase();
    await PostgresBackend.migrate({ url });
    const user = `u${crypto.randomUUID().replaceAll("-", "")}`;
    await query(url, `CREATE ROLE ${user} LOGIN; GRANT USAGE ON SCHEMA mcp_jobs TO ${user}`);
    await query(url, `GRANT SELECT ON mcp_jobs.migrations TO ${user}`);
    await PostgresBackend.migrate({ url: as(url, user) });
    await query(url, `DROP OWNED BY ${user}; DROP ROLE ${user}`);
  },
);
