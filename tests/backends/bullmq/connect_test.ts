import { Redis } from "ioredis";
import { BackendError, BullMqBackend, DefinitionError, JobsError } from "../../../mod.ts";
import { socketOf } from "../../../src/backends/bullmq/internals.ts";
import { connect } from "../../../src/backends/bullmq/redis/connection.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assert, assertEquals, assertRejects } from "../../../tools/std.ts";
import { noRedis, openRedis } from "../../../tools/redis_server.ts";
import { testUnless } from "../../support/test_unless.ts";

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
    await assertRejects(() => connect(Lost, redis.url, "test"), BackendError, "Cannot connect to Redis");
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
    const [id, owner, retry] = [newTaskId(), "owner", { attempts: 1, delay: 0, maxDelay: 0 }];
    const task = await backend.create({ id, job: "idle", owner, input: {}, resultTtl: 60_000, retry });
    assertEquals(task.status, "PENDING");
  },
);
