/**
 * The stores that outlive their processes.
 *
 * @module
 */
import { PostgresBackend } from "../../mod.ts";
import { noPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { noRedis, openRedis } from "../../tools/redis_server.ts";
import { testUnless } from "../support/test_unless.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Registers a test for each durable backend. `exercise` gets a new store: the path of a file, or a URL. */
export function onEachStore(
  name: string,
  exercise: (t: Deno.TestContext, store: string) => Promise<void>,
): void {
  Deno.test(`${name}, on KV`, async (t) => {
    await using folder = await TempFolder.make();
    await exercise(t, `${folder.path}/jobs.kv`);
  });

  testUnless(noRedis, `${name}, on Redis`, async (t) => {
    await using redis = await openRedis();
    await exercise(t, redis.url);
  });

  testUnless(noPostgres, `${name}, on PostgreSQL`, async (t) => {
    await using postgres = await PostgresServer.start();
    const url = await postgres.makeDatabase();
    await PostgresBackend.migrate({ url });
    await exercise(t, url);
    await postgres.dropDatabase(url);
  });
}
