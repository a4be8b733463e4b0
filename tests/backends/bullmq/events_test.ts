import { Redis } from "ioredis";
import { RedisStore } from "../../../src/backends/bullmq/redis/store.ts";
import { ignored } from "../../support/errors.ts";
import { assertEquals } from "../../../tools/std.ts";
import { noRedis, openRedis } from "../../../tools/redis_server.ts";
import { testUnless } from "../../support/test_unless.ts";

/** A subscription to the events of one queue, and the stream that BullMQ writes them to. */
interface Place {
  readonly received: string[];
  readonly missed: () => number;
  readonly until: (id: string) => Promise<void>;
  /** Adds `count` events at once, of the jobs `<name>0` and so on, and keeps about the last `most`. */
  readonly add: (count: number, name: string, most: number) => Promise<unknown>;
}

function test(name: string, fn: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `bullmq on Redis: ${name}`, async () => {
    await using redis = await openRedis();
    const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
    const store = await RedisStore.open(redis.url, ignored, prefix);
    const admin = new Redis(redis.url);
    const received: string[] = [];
    const waiting = new Map<string, () => void>();
    let missed = 0;
    const changed = (id: string) => {
      received.push(id);
      waiting.get(id)?.();
    };
    const subscription = await store.subscribe("queue", changed, () => missed++);
    const script = `for i = 0, ARGV[1] - 1 do
        redis.call("XADD", KEYS[1], "MAXLEN", "~", ARGV[3], "*", "event", "active", "jobId", ARGV[2] .. i)
      end`;
    try {
      await fn({
        received,
        missed: () => missed,
        until: (id) => new Promise((resolve) => received.includes(id) ? resolve() : waiting.set(id, resolve)),
        add: (count, name, most) => admin.eval(script, 1, `${prefix}:queue:events`, count, name, most),
      });
    } finally {
      await subscription.close();
      await admin.quit();
      await store.close();
    }
  });
}

test("events that were dropped unread are reported as missed", async ({ add, until, missed, received }) => {
  await add(1, "first", 100);
  await until("first0");
  await add(1_000, "many", 100);
  await add(1, "last", 100);
  await until("last0");
  assertEquals([missed(), received.includes("many0")], [1, false]);
});

test("many events at once are not reported as missed if none was dropped", async ({ add, until, missed, received }) => {
  await add(1, "first", 10_000);
  await until("first0");
  await add(1_000, "many", 10_000);
  await until("many999");
  await add(1, "last", 10_000);
  await until("last0");
  assertEquals([missed(), received.length], [0, 1_002]);
});
