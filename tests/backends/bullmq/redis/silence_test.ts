import { Redis } from "ioredis";
import { closable, closeForGood } from "../../../../src/backends/bullmq/internals.ts";
import { withHeartbeat } from "../../../../src/backends/bullmq/redis/heartbeat.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { hasRedisServer, RedisServer } from "../../../../tools/redis_server.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { Network } from "../../support/network.ts";

testUnless(
  hasRedisServer ? undefined : "install redis-server",
  "bullmq on Redis: a connection that goes silent before it is ready is replaced, too",
  async () => {
    await using server = await RedisServer.start();
    await using network = new Network(server.url);
    const connection = closable(new Redis(network.url, { lazyConnect: true }));
    const on = (event: "connect" | "ready") => new Promise((resolve) => connection.once(event, resolve));
    withHeartbeat(connection, { every: 100, within: 200 });
    try {
      await connection.connect();
      const [connected, ready] = [on("connect"), on("ready")];
      network.cut({ silent: true });
      await connected;
      network.mend();
      await ready;
      assertEquals(await connection.ping(), "PONG");
    } finally {
      await closeForGood(connection);
    }
  },
);
