import pg from "pg";
import { PostgresBackend } from "../../../mod.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { until } from "../../support/processes.ts";
import { sharedPostgres } from "../../support/postgres.ts";
import { testUnless } from "../../support/test_unless.ts";
import { newTask } from "../../support/tasks.ts";

testUnless(
  noPostgres,
  "PostgreSQL: a server without workers follows the database's clock, also when that is set",
  async () => {
    const url = new URL(await sharedPostgres().makeDatabase());
    await PostgresBackend.migrate({ url: url.href });
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    await client.query(`CREATE SCHEMA other; CREATE TABLE other.ahead AS SELECT interval '0' AS ahead;
    CREATE FUNCTION other.clock_timestamp() RETURNS timestamptz VOLATILE
    AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM other.ahead' LANGUAGE SQL`);
    url.searchParams.set("options", "-c search_path=other,pg_catalog");
    const { random } = Math;
    Math.random = () => 0.02; // The first sweep is soon.
    try {
      await using backend = await PostgresBackend.connect({ url: url.href });
      await client.query("UPDATE other.ahead SET ahead = interval '1 hour'");
      await client.end();
      const create = () => backend.create(newTask());
      await until(async () => (await create()).createdAt > Date.now() + 3_000_000, "tasks are created by that clock");
    } finally {
      Math.random = random;
    }
  },
);
