import { UsageError } from "../../src/cli/command.ts";
import { openPlace } from "../../src/cli/place.ts";
import { DenoKvBackend, PostgresBackend } from "../../mod.ts";
import { BackendError } from "../../backend.ts";
import { noPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { hasRedisServer, RedisServer } from "../../tools/redis_server.ts";
import { assert, assertEquals, assertRejects } from "../../tools/std.ts";
import { testUnless } from "../support/test_unless.ts";

const NOTHING = { kv: undefined, redis: undefined, postgres: undefined, prefix: undefined, schema: undefined };

/** What is counted at a place. */
async function countAt(place: Partial<Parameters<typeof openPlace>[0]>): Promise<unknown> {
  await using backend = await openPlace({ ...NOTHING, ...place });
  return await backend.operator?.counts();
}

Deno.test("--kv opens the file of a server, and makes none", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const kv = `${folder}/jobs.kv`;
    await assertRejects(() => countAt({ kv }), BackendError, "Pass the path that the server opens.");
    await assertRejects(() => countAt({ kv: folder }), BackendError, "it is no file");
    assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
    await (await DenoKvBackend.open({ path: kv })).close();
    assertEquals(await countAt({ kv }), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

testUnless(hasRedisServer ? undefined : "install redis-server", "--redis opens a Redis", async () => {
  await using redis = await RedisServer.start();
  assertEquals(await countAt({ redis: redis.url, prefix: "mine" }), []);
});

testUnless(noPostgres, "--postgres opens a PostgreSQL whose tables are there", async () => {
  await using postgres = await PostgresServer.startOwn();
  await assertRejects(() => countAt({ postgres: postgres.url }), BackendError);
  await PostgresBackend.migrate({ url: postgres.url });
  assertEquals(await countAt({ postgres: postgres.url }), []);
});

Deno.test("a database that does not answer is an error that names it, without its password", async () => {
  for (
    const place of [{ redis: "redis://me:secret@127.0.0.1:1" }, { postgres: "postgres://me:secret@127.0.0.1:1/x" }]
  ) {
    const error = await assertRejects(() => countAt(place), BackendError, "127.0.0.1:1");
    assert(!error.message.includes("secret"), error.message);
  }
});

Deno.test("the options name one place, and what belongs to it", async () => {
  await assertRejects(() => countAt({}), UsageError, "Pass one of");
  await assertRejects(() => countAt({ kv: "a", redis: "b" }), UsageError, "Pass one of");
  await assertRejects(() => countAt({ kv: "a", prefix: "b" }), UsageError, "--prefix goes with --redis");
  await assertRejects(() => countAt({ kv: "a", schema: "b" }), UsageError, "--schema goes with --postgres");
});
