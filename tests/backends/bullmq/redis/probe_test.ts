/**
 * What `connect` checks before anything is stored.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { BackendError, BullMqBackend } from "../../../../mod.ts";
import { missing, parseInfo } from "../../../../src/backends/bullmq/redis/probe.ts";
import { freePort, whenRedisAnswers } from "../../../../tools/redis_server.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";
import { EVERYTHING, leastPermissions, testAsUser as test } from "../../support/redis_user.ts";
import { TempFolder } from "../../../support/temp_folder.ts";

/** Permissions, what is missing without each, and the rule that allows it. */
const WITHOUT: readonly (readonly [taken: readonly string[], said: string, allowed: string])[] = [
  [["resetchannels"], "the channel bull:mcp-jobs:signals", "&bull:mcp-jobs:signals"],
  [["resetkeys", "~other:*"], "the keys bull:*", "~bull:*"],
  [["-@dangerous"], "INFO", "+info"],
  [["-eval"], "EVAL", "+eval"],
  [["-evalsha"], "EVALSHA", "+evalsha"],
  [["-multi"], "MULTI", "+multi"],
  [["-exec"], "EXEC", "+exec"],
  [["-publish"], "PUBLISH", "+publish"],
  [["-subscribe"], "SUBSCRIBE", "+subscribe"],
  [["-xread"], "XREAD", "+xread"],
  [["-xrange", "-bzpopmin"], "XRANGE, BZPOPMIN", "+xrange +bzpopmin"],
  [["-zadd", "-del"], "DEL, ZADD", "+del +zadd"],
];

test("connect names what a user may not do, and the rule that allows it", async ({ connect, admin }) => {
  for (const [taken, said, allowed] of WITHOUT) {
    const rules = [...EVERYTHING, ...taken];
    const message = `need: ${said}. Allow them: ACL SETUSER ann ${allowed} (`;
    await assertRejects(() => connect(rules), BackendError, message);
    await using _backend = await connect([...rules, ...allowed.split(" ")]);
  }
  assertEquals(await admin.keys("*"), []);
});

test("connect refuses data in another format, and leaves them as they are", async ({ connect, admin }) => {
  const task = newTask();
  {
    await using backend = await connect(EVERYTHING);
    await backend.create(task);
  }
  await admin.incr("bull:mcp-jobs:format");
  await assertRejects(
    () => connect(EVERYTHING),
    BackendError,
    "its data have the format 2, and this version of mcp-jobs has 1. Use the version that stored them",
  );
  await admin.decr("bull:mcp-jobs:format");
  await using backend = await connect(EVERYTHING);
  assertEquals((await backend.get(task.id, task.owner)).status, "PENDING");
});

/** Permissions that docs/bullmq.md calls optional. */
const DISPENSABLE = ["+ping", "+role", "+client|setname", "+client|list"];

/** Redis 6.2 gives a new user every channel, and later versions none unless told to. */
const CHANNELS_OF_NEW_USERS = ["allchannels", "resetchannels"];

for (const given of CHANNELS_OF_NEW_USERS) {
  const name = `connect accepts the documented minimal permissions of a user who began with ${given}`;
  test(name, async ({ connect }) => {
    await using _backend = await connect(await leastPermissions());
  }, ["--acl-pubsub-default", given]);
}

test("connect notices each one of the documented minimal permissions that is missing", async ({ connect }) => {
  const least = await leastPermissions();
  for (const left of least.filter((rule) => rule !== "resetchannels")) {
    const rules = least.filter((rule) => rule !== left);
    if (DISPENSABLE.includes(left)) await (await connect(rules)).close();
    else await assertRejects(() => connect(rules), BackendError, `ACL SETUSER ann ${left} (`);
  }
});

test("connect leaves no keys behind, whatever the user may do", async ({ connect, admin }) => {
  await using _backend = await connect(EVERYTHING);
  assertEquals(await admin.keys("*"), []);
});

test("connect refuses a node of a Redis Cluster, and says why", async ({ server }) => {
  await assertRejects(() => BullMqBackend.connect({ redis: server.url }), BackendError, "a node of a Redis Cluster");
}, ["--cluster-enabled", "yes"]);

test("connect refuses a Redis Sentinel, and says why", async ({ server: master }) => {
  await using folder = await TempFolder.make();
  await Deno.writeTextFile(
    `${folder.path}/sentinel.conf`,
    `sentinel monitor all 127.0.0.1 ${new URL(master.url).port} 1\n`,
  );
  const port = freePort();
  const args = [`${folder.path}/sentinel.conf`, "--sentinel", "--port", String(port), "--dir", folder.path];
  await using sentinel = new Deno.Command("redis-server", { args, stdout: "null" }).spawn();
  assertEquals(await whenRedisAnswers(sentinel, port, 30_000), undefined);
  const connect = () => BullMqBackend.connect({ redis: `redis://127.0.0.1:${port}` });
  await assertRejects(connect, BackendError, "it is a Redis Sentinel, which is not supported");
  sentinel.kill("SIGKILL");
  await sentinel.status;
});

test("connect refuses a replica, which takes no tasks, and names what to connect to", async ({ server, admin }) => {
  await admin.replicaof("127.0.0.1", freePort());
  const message = "it is a replica, which can only be read: connect to its master, by a name or a proxy.";
  await assertRejects(() => BullMqBackend.connect({ redis: server.url }), BackendError, message);
});

/** What a process that only connects writes to stderr. */
async function warningsOf(redis: string): Promise<string> {
  const code = `import { BullMqBackend } from "./mod.ts";
    await using _backend = await BullMqBackend.connect({ redis: ${JSON.stringify(redis)} });`;
  const cwd = fileURLToPath(new URL("../../../../", import.meta.url));
  const { stderr } = await new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", code], cwd }).output();
  return new TextDecoder().decode(stderr);
}

test("connect warns of a Redis that deletes keys when its memory is full, in one line", async ({ server }) => {
  const warning = "mcp-jobs: Redis may delete tasks when its memory is full: " +
    'its maxmemory-policy is "allkeys-lru". Set it to "noeviction".\n';
  assertEquals(await warningsOf(server.url), warning);
}, ["--maxmemory-policy", "allkeys-lru"]);

test("connect does not warn of a Redis that deletes no keys", async ({ server }) => {
  assertEquals(await warningsOf(server.url), "");
});

Deno.test("bullmq: the mode of a server is recognised in the INFO of Redis and of Valkey", () => {
  for (const product of ["redis_version:8.0.6\r\nredis", "redis_version:7.2.4\r\nvalkey_version:9.1.2\r\nserver"]) {
    const modes = ["standalone", "cluster", "sentinel"].map((mode) => parseInfo(`${product}_mode:${mode}\r\n`));
    assertEquals(modes.map(({ cluster, sentinel }) => [cluster, sentinel]), [[false, false], [true, false], [
      false,
      true,
    ]]);
  }
});

Deno.test("bullmq: refused commands are recognised in the error texts of every Redis version", () => {
  const who = { user: "ann", prefix: "bull" };
  const rule = (command: string, error: string) => missing([[command, error]], who)?.match(/ann ([~&+]\S+)/)?.[1];
  const said: readonly (readonly [error: string, rule: string | undefined])[] = [
    ["NOPERM this user has no permissions to run the 'zadd' command", "+zadd"], // 7.0, also without the quotes in 6.2
    ["NOPERM User ann has no permissions to run the 'zadd' command", "+zadd"], // 7.2
    ["NOPERM this user has no permissions to access one of the keys used as arguments", "~bull:*"],
    ["NOPERM No permissions to access a key", "~bull:*"],
    ["NOPERM this user has no permissions to access one of the channels used as arguments", "&bull:mcp-jobs:signals"],
    ["NOPERM No permissions to access a channel", "&bull:mcp-jobs:signals"],
    ["ERR The user executing the script can't run this command or subcommand", "+zadd"],
    [
      "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments",
      "~bull:*",
    ],
    ["MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", undefined],
    ["NOREPLICAS Not enough good replicas to write.", undefined],
    ["OOM command not allowed when used memory > 'maxmemory'.", undefined],
    ["READONLY You can't write against a read only replica.", undefined],
  ];
  for (const [error, allowed] of said) assertEquals(rule("ZADD", error), allowed);
  const unknown = "it does not know LPOS: use Redis 6.2 or later";
  assertEquals(missing([["LPOS", "ERR unknown command 'LPOS', with args beginning with: "]], who), unknown);
  assertEquals(missing([["LPOS", "ERR Unknown Redis command called from script script: f_x"]], who), unknown);
});
