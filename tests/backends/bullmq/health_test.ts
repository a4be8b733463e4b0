/**
 * What `/healthz` reports for a Redis that refuses writes, or does not answer.
 *
 * @module
 */
import { Redis } from "ioredis";
import { BullMqBackend } from "../../../mod.ts";
import { Health } from "../../../src/server/health.ts";
import { messageOf } from "../../../src/text.ts";
import { noOwnRedis, RedisServer } from "../../../tools/redis_server.ts";
import { ignored } from "../../support/errors.ts";
import { assertEquals } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";

testUnless(
  noOwnRedis,
  "bullmq on Redis: /healthz notices that Redis refuses writes or does not answer, and that it works again",
  async () => {
    await using redis = await RedisServer.start();
    const admin = new Redis(redis.url);
    await using backend = await BullMqBackend.connect({ redis: redis.url });
    let now = 0;
    const checks = new Health(backend, ignored, () => now += 5_000); // No answer is reused.
    const health = () => checks.check().then(() => "ok", messageOf);
    const becomes = (expected: string) => until(async () => await health() === expected, `a check says: ${expected}`);
    try {
      assertEquals(await health(), "ok");
      await admin.config("SET", "min-replicas-to-write", 1);
      await becomes("The backend takes no tasks.");
      await admin.config("SET", "min-replicas-to-write", 0);
      await becomes("ok");
    } finally {
      await admin.quit();
    }
    redis.signal("SIGSTOP");
    try {
      await becomes("The backend takes no tasks.");
    } finally {
      redis.signal("SIGCONT");
    }
    await becomes("ok");
  },
);
