import { fileURLToPath } from "node:url";
import { UsageError } from "../../src/cli/command.ts";
import { openPlace, placeOf } from "../../src/cli/place.ts";
import { DenoKvBackend } from "../../mod.ts";
import { BackendError } from "../../backend.ts";
import { noPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { noOwnRedis, RedisServer } from "../../tools/redis_server.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../../tools/std.ts";
import { testUnless } from "../support/test_unless.ts";

const CLI = fileURLToPath(new URL("../../cli.ts", import.meta.url));
const NOTHING = { kv: undefined, redis: undefined, postgres: undefined, prefix: undefined, schema: undefined };

/** What is counted at a place. */
async function countAt(place: Partial<Parameters<typeof openPlace>[0]>): Promise<unknown> {
  await using backend = await openPlace({ ...NOTHING, ...place }, () => undefined);
  return await backend.operator.counts();
}

Deno.test("--kv opens an existing file, and creates none", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const kv = `${folder}/jobs.kv`;
    await assertRejects(() => countAt({ kv }), BackendError, "Pass the path that the server opens.");
    await assertRejects(() => countAt({ kv: folder }), BackendError, "it is not a file");
    assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
    await Deno.create(kv).then((file) => file.close());
    await assertRejects(() => countAt({ kv }), BackendError, "it is empty");
    assertEquals((await Deno.stat(kv)).size, 0);
    await (await DenoKvBackend.open({ path: kv })).close();
    assertEquals(await countAt({ kv }), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

testUnless(noOwnRedis, "--redis opens a Redis", async () => {
  await using redis = await RedisServer.start();
  assertEquals(await countAt({ redis: redis.url, prefix: "mine" }), []);
});

testUnless(noPostgres, "--postgres opens a PostgreSQL whose tables are there, and migrate makes them", async () => {
  await using postgres = await PostgresServer.startOwn();
  const env = { POSTGRES_URL: postgres.url, NO_COLOR: "1" };
  const run = async (...args: readonly string[]) => {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "--unstable-kv", CLI, ...args],
      env,
    });
    const { code, stdout, stderr } = await command.output();
    const [said, data] = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes));
    return { code, said, data };
  };
  const { code, said } = await run("stats");
  assertEquals(code, 1);
  assertStringIncludes(said ?? "", 'the schema "mcp_jobs" has no tables of mcp-jobs. Run mcp-jobs migrate');
  for (let times = 0; times < 2; times++) {
    assertEquals(await run("migrate"), { code: 0, said: "", data: "The tables are up to date.\n" });
  }
  assertEquals(await countAt({ postgres: postgres.url }), []);
});

Deno.test("migrate needs a PostgreSQL: no other store has tables", async () => {
  const opening = openPlace({ ...NOTHING, kv: "a.kv" }, () => undefined, true);
  await assertRejects(() => opening, UsageError, "only PostgreSQL has tables");
});

Deno.test("a database that does not answer is an error that names it, without its password", async () => {
  for (
    const place of [{ redis: "redis://me:secret@127.0.0.1:1" }, { postgres: "postgres://me:secret@127.0.0.1:1/x" }]
  ) {
    const error = await assertRejects(() => countAt(place), BackendError, "127.0.0.1:1");
    assert(!error.message.includes("secret"), error.message);
  }
});

Deno.test("without a place among the options, the one that the environment names is opened", () => {
  const chosen = (place: object, env: { readonly [name: string]: string }) =>
    placeOf({ ...NOTHING, ...place }, (name) => env[name]);
  const [kv, redis, postgres] = ["a.kv", "redis://:secret@host", "postgres://me:secret@host"];
  assertEquals(chosen({}, { MCP_JOBS_KV: kv }), { kv });
  assertEquals(chosen({ prefix: "mine" }, { REDIS_URL: redis, POSTGRES_URL: "" }), { redis, prefix: "mine" });
  assertEquals(chosen({ schema: "mine" }, { POSTGRES_URL: postgres }), { postgres, schema: "mine" });
  assertEquals(chosen({ kv: "b.kv" }, { POSTGRES_URL: postgres, REDIS_URL: redis }), { kv: "b.kv" });
  const error = assertThrows(() => chosen({}, { POSTGRES_URL: postgres, REDIS_URL: redis }), UsageError);
  assertEquals(
    error.message,
    "the environment names more than one store: REDIS_URL and POSTGRES_URL. Pass one of --kv PATH, --redis URL and --postgres URL, or unset all but one.",
  );
  assertThrows(() => chosen({ prefix: "mine" }, { POSTGRES_URL: postgres }), UsageError, "--prefix goes with --redis");
});

Deno.test("the options name one place, and what belongs to it", async () => {
  await assertRejects(() => countAt({}), UsageError, "no store is named. Pass one of");
  await assertRejects(() => countAt({ kv: "a", redis: "b" }), UsageError, "more than one store is named.");
  await assertRejects(() => countAt({ kv: "a", prefix: "b" }), UsageError, "--prefix goes with --redis");
  await assertRejects(() => countAt({ kv: "a", schema: "b" }), UsageError, "--schema goes with --postgres");
});
