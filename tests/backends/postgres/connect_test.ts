import pg from "pg";
import { BackendError, DefinitionError, PostgresBackend } from "../../../mod.ts";
import { noPostgres, PostgresServer } from "../../../tools/postgres_server.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../../tools/std.ts";
import { testUnless } from "../../support/test_unless.ts";

async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function refusal(url: string, more: { readonly schema?: string } = {}): Promise<string> {
  return (await assertRejects(() => PostgresBackend.connect({ url, ...more }), BackendError)).message;
}

testUnless(
  noPostgres,
  "what keeps PostgreSQL from being used is told with what to do, and without the password",
  async () => {
    await using server = await PostgresServer.start();
    const url = await server.makeDatabase();
    const as = (user: string, database = new URL(url).pathname) => {
      const other = new URL(url);
      [other.username, other.password, other.pathname] = [user, "s3cret", database];
      return other.href;
    };

    assertStringIncludes(await refusal("postgres://jobs:s3cret@127.0.0.1:1/jobs"), "Check that the server runs");
    assertStringIncludes(await refusal(as("postgres", "/none")), "Create the database");
    assertStringIncludes(await refusal(url), "has no tables of mcp-jobs. Run PostgresBackend.migrate({ url })");

    await PostgresBackend.migrate({ url });
    await query(url, "CREATE ROLE reader LOGIN PASSWORD 's3cret'; GRANT USAGE ON SCHEMA mcp_jobs TO reader");
    await query(url, "GRANT SELECT ON ALL TABLES IN SCHEMA mcp_jobs TO reader");
    assertStringIncludes(await refusal(as("reader")), 'lacks rights on tables of "mcp_jobs": ');
    assertStringIncludes(await refusal(as("reader")), "queue (DELETE)");

    await query(url, "ALTER ROLE reader SET default_transaction_read_only = on");
    assertStringIncludes(await refusal(as("reader")), "this database is read-only");

    await query(url, "INSERT INTO mcp_jobs.migrations VALUES (99, now())");
    assertStringIncludes(await refusal(url), "have version 99, this code knows 1. Update mcp-jobs here");
    const newer = await assertRejects(() => PostgresBackend.migrate({ url }), BackendError);
    assertStringIncludes(newer.message, "have version 99");

    await query(url, "DROP OWNED BY reader; DROP ROLE reader");
    assertEquals((await refusal(as("reader"))).includes("s3cret"), false);
  },
);

testUnless(noPostgres, "options that cannot be are refused before anything is opened", async () => {
  const url = "postgres://127.0.0.1:1/none";
  await assertRejects(() => PostgresBackend.connect({ url, lease: 10 }), DefinitionError, "lease");
  await assertRejects(() => PostgresBackend.connect({ url, pool: 1 }), DefinitionError, "pool");
  for (const url of ["no URL with s3cret", "redis://jobs:s3cret@127.0.0.1", "postgres://jobs:s3cret@a b"]) {
    const error = await assertRejects(() => PostgresBackend.connect({ url }), DefinitionError, "the URL is not valid");
    assertEquals(error.message.includes("s3cret"), false);
  }
});

testUnless(
  noPostgres,
  "servers that migrate at once make the tables once, and a second time changes nothing",
  async () => {
    await using server = await PostgresServer.start();
    const url = await server.makeDatabase();
    await Promise.all(Array.from({ length: 8 }, () => PostgresBackend.migrate({ url })));
    const versions = () => query(url, "SELECT version, at::text FROM mcp_jobs.migrations");
    const once = await versions();
    assertEquals(once.map(({ version }) => version), [1]);
    await PostgresBackend.migrate({ url });
    assertEquals(await versions(), once);
  },
);

testUnless(noPostgres, "a role without rights beyond its own schema can migrate and work", async () => {
  await using server = await PostgresServer.start();
  const url = await server.makeDatabase();
  await query(url, "CREATE ROLE jobs LOGIN; CREATE SCHEMA mcp_jobs AUTHORIZATION jobs");
  const own = new URL(url);
  own.username = "jobs";
  await PostgresBackend.migrate({ url: own.href });
  await using backend = await PostgresBackend.connect({ url: own.href });
  assertEquals(await backend.list("ann", { limit: 1 }), { tasks: [] });
});
