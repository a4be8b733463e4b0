import { TaskNotFound } from "../../../../backend.ts";
import { BullMqBackend } from "../../../../mod.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { assert, assertEquals, assertRejects } from "../../../../tools/std.ts";
import { noOwnRedis, RedisServer } from "../../../../tools/redis_server.ts";
import { Redis } from "ioredis";
import { newTask } from "../../../support/tasks.ts";
import { testUnless } from "../../../support/test_unless.ts";

/** How often Redis has run each command so far. */
async function callsOf(client: Redis): Promise<ReadonlyMap<string, number>> {
  const lines = (await client.info("commandstats")).matchAll(/cmdstat_(\S+):calls=(\d+)/g);
  return new Map([...lines].map(([, name = "", calls]) => [name, Number(calls)]));
}

/** The backend has work of its own now and then. Of so many reads one, at least, has none of it beside it. */
const READS = 5;

// It counts the commands of a whole server, so it needs its own.
testUnless(
  noOwnRedis,
  "on Redis an unknown id, another owner's id and a malformed id cost the same commands",
  async () => {
    await using redis = await RedisServer.start();
    await using backend = await BullMqBackend.connect({ redis: redis.url });
    const { id } = await backend.create(newTask());
    await backend.get(id, "ann"); // From now on Redis knows the script.
    const client = new Redis(redis.url);
    const costs: unknown[] = [];
    for (const other of [newTaskId(), id, "no id", "x".repeat(5_000)]) {
      const least = new Map<string, number>();
      for (let i = 0; i < READS; i++) {
        const before = await callsOf(client);
        await assertRejects(() => backend.get(other, "bob"), TaskNotFound);
        for (const [name, calls] of await callsOf(client)) {
          if (name === "info") continue;
          least.set(name, Math.min(calls - (before.get(name) ?? 0), least.get(name) ?? Infinity));
        }
      }
      costs.push([...least].filter(([, calls]) => calls > 0).toSorted());
    }
    client.disconnect();
    assert(costs[0] !== undefined && JSON.stringify(costs[0]) !== "[]");
    assertEquals(costs, Array(4).fill(costs[0]));
  },
);
