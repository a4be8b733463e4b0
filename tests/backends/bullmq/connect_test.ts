import process from "node:process";
import { Redis } from "ioredis";
import { BackendError, BullMqBackend, DefinitionError, JobsError } from "../../../mod.ts";
import { closeForGood, socketOf } from "../../../src/backends/bullmq/internals.ts";
import { connect } from "../../../src/backends/bullmq/redis/connection.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assert, assertEquals, assertRejects } from "../../../tools/std.ts";
import { noOwnRedis, noRedis, openRedis, RedisServer } from "../../../tools/redis_server.ts";
import { ignored, Reported } from "../../support/errors.ts";
import { stopFor, until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";
import { newTask } from "../../support/tasks.ts";

Deno.test("bullmq: connecting where there is no Redis is an error with the address and without the password", async () => {
  for (
    const [address, said] of [
      ["user:secret@127.0.0.1:9", "at redis://127.0.0.1:9"],
      ["user:half@secret@127.0.0.1:9", "at redis://127.0.0.1:9"],
      ["127.0.0.1:9/0?password=secret", "at redis://127.0.0.1:9/0"],
      ["user:half/secret@127.0.0.1:9", "its address must be a URL like"],
    ]
  ) {
    const error = await assertRejects(() => BullMqBackend.connect({ redis: `redis://${address}` }), JobsError, said);
    assert(!Deno.inspect(error).includes("secret"), Deno.inspect(error));
  }
});

testUnless(
  noRedis,
  "bullmq: an error of Redis that is printed shows neither the password nor the input of a task",
  async () => {
    await using redis = await openRedis();
    const { protocol, host } = new URL(redis.url);
    const wrong = `${protocol}//somebody:secret@${host}`;
    const refused = await assertRejects(() => BullMqBackend.connect({ redis: wrong }), BackendError, "WRONGPASS");
    const prefix = crypto.randomUUID();
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    const admin = new Redis(redis.url);
    const task = newTask({ input: { text: "secret" } });
    await backend.create(task);
    const [key = ""] = await admin.keys(`${prefix}:mcp-jobs:owner:*`);
    await admin.set(key, "no set");
    admin.disconnect();
    const failed = await assertRejects(() => backend.create({ ...task, id: newTaskId() }), BackendError, "WRONGTYPE");
    for (const error of [refused, failed]) {
      const shown = Deno.inspect(error, { depth: 10, strAbbreviateSize: Infinity });
      assert(!shown.includes("secret"), shown);
    }
  },
);

Deno.test("bullmq: connecting to PostgreSQL is an error that names PostgresBackend.connect", async () => {
  const options = { postgres: "postgres://user:secret@127.0.0.1:9" };
  const connect = () => Reflect.apply(BullMqBackend.connect, BullMqBackend, [options]);
  const error = await assertRejects(connect, DefinitionError, "PostgresBackend.connect({ url })");
  assert(!Deno.inspect(error).includes("secret"), Deno.inspect(error));
});

Deno.test("bullmq: an address that is no URL of a Redis is refused without connecting", async () => {
  for (const redis of ["http://127.0.0.1:9", "postgres://127.0.0.1:9", "127.0.0.1:9", "redis://127.0.0.1:9/abc"]) {
    await assertRejects(() => BullMqBackend.connect({ redis }), DefinitionError, "must be a URL like redis://");
  }
});

Deno.test("bullmq: an error says that special characters of the password must be percent-encoded", async () => {
  for (const password of ["a/secret", "a#secret", "100%secret"]) {
    const redis = `redis://user:${password}@127.0.0.1:9`;
    const error = await assertRejects(() => BullMqBackend.connect({ redis }), JobsError, "ercent-encode");
    assert(!Deno.inspect(error).includes("secret"), Deno.inspect(error));
  }
});

Deno.test("bullmq: an error about TLS says how to trust the certificate, or that the address begins with rediss", async () => {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: CERTIFICATE, key: PRIVATE_KEY });
  const served = refuseAll(listener);
  const at = (scheme: string) => BullMqBackend.connect({ redis: `${scheme}://localhost:${listener.addr.port}` });
  await assertRejects(() => at("rediss"), BackendError, "deno run --cert FILE");
  await assertRejects(() => at("redis"), BackendError, "rediss://");
  listener.close();
  await served;
});

testUnless(
  noOwnRedis,
  "bullmq: while Redis is away, errors say why nothing connects, and not which options of ioredis play a part",
  async () => {
    await using server = await RedisServer.start();
    const { all, onError } = new Reported();
    await using _backend = await BullMqBackend.connect({ redis: server.url, onError });
    await server.kill();
    const texts = (place: string) => all.flatMap(({ where, error }) => where === place ? String(error) : []);
    await until(() => texts("look for tasks that have expired").length > 0, "a sweep fails");
    assertEquals(texts("look for tasks that have expired")[0], "Error: Redis is not connected.");
    assert(texts("connect to Redis").some((text) => text.includes(`ECONNREFUSED ${new URL(server.url).host}`)));
  },
);

/** Ends each connection once its client has said something. */
async function refuseAll(listener: Deno.TlsListener): Promise<void> {
  for await (const connection of listener) {
    await connection.read(new Uint8Array(1)).catch(() => null); // The client has refused the certificate.
    connection.close();
  }
}

Deno.test({
  name: "bullmq: connecting to a host that Deno does not permit is an error that names the flag",
  permissions: { env: true, net: false, read: true, sys: true },
  async fn() {
    const open = () => BullMqBackend.connect({ redis: "redis://localhost:6379" });
    await assertRejects(open, BackendError, "EPERM localhost. Give Deno the permission --allow-net=<host>:<port>.");
  },
});

testUnless(
  noRedis,
  "bullmq on Redis: connecting to a Redis that goes away before it is probed is an error",
  async () => {
    await using redis = await openRedis();
    class Lost extends Redis {
      override connect(): Promise<void> {
        this.once("ready", () => socketOf(this).destroy());
        return super.connect();
      }
    }
    await assertRejects(() => connect(Lost, redis.url, "test", ignored), BackendError, "Cannot connect to Redis");
  },
);

testUnless(
  noRedis,
  "bullmq on Redis: time in which the process could not run does not count while it connects",
  async () => {
    await using redis = await openRedis();
    class Stopped extends Redis {
      override connect(): Promise<void> {
        const connecting = super.connect();
        process.nextTick(() => stopFor(2_500)); // Longer than an attempt may take. Its socket waits to be open.
        return connecting;
      }
    }
    const client = await connect(Stopped, redis.url, "test", ignored);
    assertEquals(client.options.connectTimeout, 1_500);
    await closeForGood(client);
  },
);

testUnless(
  noRedis,
  "bullmq on Redis: a database number that Redis does not have is an error, and database 0 is not used",
  async () => {
    await using redis = await openRedis();
    const url = new URL(redis.url);
    url.pathname = "/7777";
    await assertRejects(() => BullMqBackend.connect({ redis: url.href }), BackendError, "DB index is out of range");
    url.pathname = "/3";
    await using backend = await BullMqBackend.connect({ redis: url.href, prefix: `test-${crypto.randomUUID()}` });
    const [id, owner] = [newTaskId(), "owner"];
    const task = await backend.create(newTask({ id, job: "idle", owner }));
    assertEquals(task.status, "PENDING");
  },
);

/** A certificate that nobody trusts, because it has signed itself. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUIcyHyx5rOibKI+nMUoWxpuXizA4wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTE3NDY0M1oYDzIxMjYxMTA1
MTc0NjQzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQg8mqqNzp9CTkPYNx4iDQLFpI1wjhg44zU2bdwWVov/kIbRHUdrRa3
a1fBe2euXvncVTbrDSDkjkRXC4gkXveao2kwZzAdBgNVHQ4EFgQUDtf5jF7+f3Ra
K+8wplQVoLvR4YUwHwYDVR0jBBgwFoAUDtf5jF7+f3RaK+8wplQVoLvR4YUwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhAM1pzulPPK529wcBjierXVtarrvrJ4xT3woTC/PHzztvAiEA0dLLSajA
cMwOgXheYvfd5V9nSi/trnu2Y0k75o4SgvY=
-----END CERTIFICATE-----`;

const PRIVATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8+EXDYJeC1MQpc2M
0pFiVpHbB8r16LSGMlc8TnyWqLWhRANCAAQg8mqqNzp9CTkPYNx4iDQLFpI1wjhg
44zU2bdwWVov/kIbRHUdrRa3a1fBe2euXvncVTbrDSDkjkRXC4gkXvea
-----END PRIVATE KEY-----`;
