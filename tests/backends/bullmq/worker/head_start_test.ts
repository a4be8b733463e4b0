import { type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { startWithHeadStart } from "../../../../src/backends/bullmq/worker/head_start.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { testUnless } from "../../../support/test_unless.ts";

interface Place {
  readonly queue: Queue;
  readonly client: Redis;
  /** Starts a worker that ends with the test. */
  start(run: (job: Job) => Promise<unknown>, concurrency: number): Worker;
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `bullmq: ${name}`, async () => {
    await using redis = await openRedis();
    const connection = { url: redis.url, maxRetriesPerRequest: null };
    const prefix = `test-${crypto.randomUUID()}`;
    const queue = new Queue("many", { connection, prefix });
    const client = new Redis(redis.url);
    const workers: Worker[] = [];
    const start: Place["start"] = (run, concurrency) => {
      const options = { connection, prefix, concurrency };
      const worker = startWithHeadStart((process) => new Worker("many", process, options), run, concurrency);
      workers.push(worker);
      return worker;
    };
    await run({ queue, client, start });
    await Promise.all(workers.map((worker) => worker.close()));
    await queue.close();
    client.disconnect();
  });
}

const JOBS = 100;

const many = (queue: Queue, count: number = JOBS) =>
  queue.addBulk(Array.from({ length: count }, (_, index) => ({ name: "one", data: { index } })));

test("the first of many jobs starts before the worker has requested all others", async ({ queue, start }) => {
  await many(queue);
  const waiting = Promise.withResolvers<number>();
  start(() => {
    waiting.resolve(queue.getWaitingCount());
    return Promise.resolve();
  }, JOBS);
  assert(await waiting.promise > 0);
});

test("the first of many jobs is finished before the worker has requested all others", async ({ queue, start }) => {
  await many(queue);
  const waiting = Promise.withResolvers<number>();
  start(() => Promise.resolve(), JOBS).on("completed", () => waiting.resolve(queue.getWaitingCount()));
  assert(await waiting.promise > 0);
});

test("each of many jobs runs once, and as many at a time as the concurrency allows", async ({ queue, start }) => {
  await many(queue);
  const ran: number[] = [];
  let [now, most] = [0, 0];
  const full = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  start(async (job) => {
    most = Math.max(most, ++now);
    if (now === 7) full.resolve();
    await full.promise;
    now--;
    if (ran.push(job.data.index) === JOBS) done.resolve();
  }, 7);
  await done.promise;
  assertEquals([new Set(ran).size, ran.length, most], [JOBS, JOBS, 7]);
});

test("a job that fails without a run does not keep others from starting beside a long one", async ({ queue, client, start }) => {
  const [, cancelled, , last] = await many(queue, 4);
  await client.hset(queue.toKey(cancelled?.id ?? ""), "defa", "It was cancelled.");
  const ran: number[] = [];
  const lastBegan = Promise.withResolvers<void>();
  start(async (job) => {
    ran.push(job.data.index);
    if (job.id === last?.id) lastBegan.resolve();
    await lastBegan.promise;
  }, 4);
  await lastBegan.promise;
  assertEquals(ran, [0, 2, 3]);
});

test("a job fails with the error that it throws", async ({ queue, start }) => {
  const failed = Promise.withResolvers<string>();
  start(() => Promise.reject(new Error("no paper")), 4).on("failed", (_, { message }) => failed.resolve(message));
  await many(queue, 1);
  assertEquals(await failed.promise, "no paper");
});

test("a second event for an active job does not start it again, and takes no slot", async ({ queue, start }) => {
  let runs = 0;
  const done = Promise.withResolvers<number>();
  const worker = start(async (job) => {
    runs++;
    await queue.getWaitingCount(); // By then the worker processes it.
    worker.emit("active", job, "waiting");
  }, 4);
  worker.on("completed", () => done.resolve(worker.concurrency));
  await many(queue, 1);
  assertEquals([await done.promise, runs], [4, 1]);
});
