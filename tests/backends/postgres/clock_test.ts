import pg from "pg";
import { createWorker, defineJob, PostgresBackend } from "../../../mod.ts";
import { assert } from "../../../tools/std.ts";
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

testUnless(
  noPostgres,
  "PostgreSQL: a slow reading of the database's clock does not set that of a process wrong",
  async () => {
    const url = new URL(await sharedPostgres().makeDatabase());
    await PostgresBackend.migrate({ url: url.href });
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    await client.query(`CREATE SCHEMA other; CREATE SEQUENCE other.readings; CREATE TABLE other.way AS SELECT 0 AS back;
    CREATE FUNCTION other.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE plpgsql AS $$
      DECLARE read timestamptz := pg_catalog.clock_timestamp();
      BEGIN
        PERFORM nextval('other.readings');
        PERFORM pg_sleep(back) FROM other.way;
        RETURN read;
      END $$`);
    url.searchParams.set("options", "-c search_path=other,pg_catalog");
    const readings = async () =>
      Number((await client.query("SELECT last_value FROM other.readings")).rows[0]?.last_value);
    const job = defineJob({ name: "any", input: { type: "object" }, run: () => {} });
    try {
      await using backend = await PostgresBackend.connect({ url: url.href, lease: 1_000 });
      await using worker = createWorker(backend, [job]);
      await worker.ready;
      await client.query("UPDATE other.way SET back = 2");
      const before = await readings();
      await until(async () => await readings() > before + 3, "one of at most three slow readings at a time has ended");
      const asked = Date.now();
      const { createdAt } = await backend.create(newTask());
      const ahead = Math.max(createdAt - Date.now(), asked - createdAt);
      assert(ahead < 500, `It is wrong by ${ahead} ms.`);
      await client.query("UPDATE other.way SET back = 0");
    } finally {
      await client.end();
    }
  },
);
