/**
 * `/healthz` of a server whose Redis refuses to write, or does not answer.
 *
 * @module
 */
import { Redis } from "ioredis";
import { BullMqBackend } from "../../mod.ts";
import { hasRedisServer, RedisServer } from "../../tools/redis_server.ts";
import { assertEquals } from "../../tools/std.ts";
import { fixtureServer } from "../interop/fixture.ts";
import { until } from "../processes.ts";
import { testUnless } from "../test_unless.ts";

testUnless(
  hasRedisServer ? undefined : "install redis-server",
  "bullmq on Redis: /healthz is 503 while Redis refuses to write or does not answer, and 200 again after it",
  async () => {
    await using redis = await RedisServer.start();
    const admin = new Redis(redis.url);
    await using server = fixtureServer("operation", await BullMqBackend.connect({ redis: redis.url }));
    const health = async () => {
      const response = await server.fetch(new Request("http://localhost/healthz"));
      return [response.status, (await response.json()).error ?? "ok"];
    };
    const becomes = async (...wanted: readonly unknown[]) => {
      await until(async () => String(await health()) === String(wanted), `/healthz says ${wanted}`);
    };
    try {
      assertEquals(await health(), [200, "ok"]);
      await admin.config("SET", "min-replicas-to-write", 1);
      await becomes(503, "The backend takes no tasks.");
      await admin.config("SET", "min-replicas-to-write", 0);
      await becomes(200, "ok");
    } finally {
      await admin.quit();
    }
    redis.signal("SIGSTOP");
    try {
      await becomes(503, "The backend takes no tasks.");
    } finally {
      redis.signal("SIGCONT");
    }
    await becomes(200, "ok");
  },
);
