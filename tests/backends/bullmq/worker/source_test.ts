/**
 * How a worker takes jobs that other programs have queued.
 *
 * @module
 */
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { BullMqBackend } from "../../../../mod.ts";
import { isObject } from "../../../../src/json.ts";
import type { WorkHandle } from "../../../../src/backend.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { ignored } from "../../../support/errors.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";

interface Place {
  readonly queue: Queue;
  readonly client: Redis;
  /** Starts a worker that ends with the test. `run` gets the number of each job. */
  start(run: (index: number) => Promise<unknown>, concurrency: number): WorkHandle;
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `bullmq: ${name}`, async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    const queue = new Queue("many", { connection: { url: redis.url, maxRetriesPerRequest: null }, prefix });
    const client = new Redis(redis.url);
    const works: WorkHandle[] = [];
    const start: Place["start"] = (run, concurrency) => {
      const work = backend.work({
        jobs: ["many"],
        concurrency,
        onError: ignored,
        run: async ({ input }) => {
          await run(isObject(input) ? Number(input.index) : NaN);
          return { kind: "value", value: null };
        },
      });
      works.push(work);
      return work;
    };
    await run({ queue, client, start });
    await Promise.all(works.map((work) => work.stop(60_000)));
    await queue.close();
    client.disconnect();
  });
}

const JOBS = 100;

const many = (queue: Queue, count: number = JOBS) =>
  queue.addBulk(Array.from({ length: count }, (_, index) => ({ name: "one", data: { index } })));

test("the first of many jobs starts before the worker has claimed all others", async ({ queue, start }) => {
  await many(queue);
  const waiting = Promise.withResolvers<number>();
  start(() => {
    waiting.resolve(queue.getWaitingCount());
    return Promise.resolve();
  }, JOBS);
  assert(await waiting.promise > 0);
});

test("each of many jobs runs once, and as many at a time as the concurrency allows", async ({ queue, start }) => {
  await many(queue);
  const ran: number[] = [];
  let [now, most] = [0, 0];
  const full = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  start(async (index) => {
    most = Math.max(most, ++now);
    if (now === 7) full.resolve();
    await full.promise;
    await queue.getWaitingCount();
    now--;
    if (ran.push(index) === JOBS) done.resolve();
  }, 7);
  await done.promise;
  assertEquals([new Set(ran).size, ran.length, most], [JOBS, JOBS, 7]);
});

test("a job that fails without a run does not keep others from starting beside a long one", async ({ queue, client, start }) => {
  const [, cancelled, , last] = await many(queue, 4);
  await client.hset(queue.toKey(cancelled?.id ?? ""), "defa", "It was cancelled.");
  const ran: number[] = [];
  const lastBegan = Promise.withResolvers<void>();
  start(async (index) => {
    ran.push(index);
    if (index === last?.data.index) lastBegan.resolve();
    await lastBegan.promise;
  }, 4);
  await lastBegan.promise;
  assertEquals(ran, [0, 2, 3]);
});

test("a job that cannot be read does not keep the worker from the others", async ({ queue, client, start }) => {
  const [first] = await many(queue, 3);
  await client.hset(queue.toKey(first?.id ?? ""), "data", "{");
  const ran: number[] = [];
  const done = Promise.withResolvers<void>();
  start((index) => {
    if (ran.push(index) === 2) done.resolve();
    return Promise.resolve();
  }, 2);
  await done.promise;
  assertEquals(ran, [1, 2]);
});

test("a worker that stops leaves no job behind that it has taken and not begun", async ({ queue, start }) => {
  await many(queue);
  const enough = Promise.withResolvers<void>();
  let runs = 0;
  const work = start(() => {
    if (++runs === 10) enough.resolve();
    return Promise.resolve();
  }, 7);
  await enough.promise;
  await work.stop(60_000);
  assertEquals([await queue.getActiveCount(), await queue.getWaitingCount()], [0, JOBS - runs]);
});

test("a job of a scheduler is followed by the next one", async ({ queue, start }) => {
  const twice = Promise.withResolvers<void>();
  let runs = 0;
  start(() => {
    if (++runs === 2) twice.resolve();
    return Promise.resolve();
  }, 1);
  await queue.upsertJobScheduler("often", { every: 100 }, { name: "one", data: { index: 0 } });
  await twice.promise;
  await queue.removeJobScheduler("often");
  await until(async () => await queue.getActiveCount() === 0, "no run is active");
});
