import { BackendError } from "../../../../mod.ts";
import { Database } from "../../../../src/backends/postgres/connecting/database.ts";
import { noPostgres } from "../../../../tools/postgres_server.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../../../../tools/std.ts";
import { sharedPostgres } from "../../../support/postgres.ts";
import { testUnless } from "../../../support/test_unless.ts";

/** A setting of the connections of a database. */
async function setting(url: string, name: string): Promise<string | undefined> {
  await using database = await Database.open(url, "mcp_jobs", 1);
  const [row] = await database.run<{ value: string }>({ text: `SELECT current_setting($1) AS value` }, [name]);
  return row?.value;
}

testUnless(
  noPostgres,
  "PostgreSQL: options of the URL are added to the settings that the statements need",
  async () => {
    const url = new URL(sharedPostgres().url);
    url.searchParams.set("options", "-c search_path=other -c jit=on");
    assertEquals(await setting(url.href, "search_path"), "other");
    assertEquals(await setting(url.href, "jit"), "on");
    assertEquals(await setting(url.href, "enable_seqscan"), "off");
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: transactions are isolated as the statements need, whatever the default is",
  async () => {
    const url = await sharedPostgres().makeDatabase();
    const name = new URL(url).pathname.slice(1);
    await sharedPostgres().query(`ALTER DATABASE ${name} SET default_transaction_isolation = 'serializable'`);
    assertEquals(await setting(url, "transaction_isolation"), "read committed");
  },
);

const { data, url } = noPostgres === undefined ? sharedPostgres() : {};
const noOwn = noPostgres ?? (data === undefined ? "others have started the server" : undefined);

testUnless(noOwn, "PostgreSQL: a URL may name the folder of a Unix socket in each way that is usual", async () => {
  const folder = encodeURIComponent(`${data}/..`.replace("/data/..", ""));
  const { port } = new URL(String(url));
  const urls = [
    `postgres://postgres@/postgres?host=${folder}&port=${port}`,
    `postgres:///postgres?host=${folder}&port=${port}&user=postgres`,
    `postgres://postgres@${folder}:${port}/postgres`,
  ];
  for (const url of urls) assertEquals(await setting(url, "port"), port);
});

Deno.test("PostgreSQL: the error for a missing socket names its folder, and says what to check", async () => {
  const url = "postgres://jobs@/jobs?host=/tmp/no-folder";
  const { message } = await assertRejects(() => Database.open(url, "mcp_jobs", 1), BackendError);
  assertStringIncludes(message, "Cannot connect to PostgreSQL at /tmp/no-folder: ");
  assertStringIncludes(message, "Check that a PostgreSQL runs");
});

testUnless(noOwn, "PostgreSQL: an error of TLS says what to change in the URL", async () => {
  const url = `${sharedPostgres().url}?sslmode=verify-full`;
  const { message } = await assertRejects(() => Database.open(url, "mcp_jobs", 1), BackendError);
  assertStringIncludes(message, "does not support SSL connections. Let the server use TLS, or leave `sslmode` out");
});
