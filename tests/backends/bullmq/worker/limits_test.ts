/**
 * Limits of a job beside workers with other limits, workers of others, and what the queue's owner has set.
 *
 * @module
 */
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import type { JobLimits } from "../../../../backend.ts";
import { BullMqBackend, createWorker, defineJob, type Worker } from "../../../../mod.ts";
import { inTime } from "../../../../src/backends/shared/deadline.ts";
import { unlessAborted } from "../../../../src/waiting.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { newTask } from "../../../support/tasks.ts";

/** A Redis, a backend on it, and tasks of the job "few" that run until they are let go, or their worker closes. */
class Place implements AsyncDisposable {
  readonly admin: Redis;
  /** The limits of the workers whose code runs each task now. */
  readonly running: string[] = [];
  readonly #free = Promise.withResolvers<void>();

  constructor(readonly backend: BullMqBackend, readonly url: string, readonly prefix: string) {
    this.admin = new Redis<"legacy">(url);
  }

  /** Starts a worker, which has a name for the test. */
  async work(name: string, limits: JobLimits, concurrency = 10): Promise<Worker> {
    const job = defineJob({
      name: "few",
      input: { type: "object" },
      run: (_, { signal }) => {
        this.running.push(name);
        return unlessAborted(this.#free.promise, signal);
      },
      ...limits,
    });
    const worker = createWorker(this.backend, [job], { concurrency, grace: 0 });
    await worker.ready;
    return worker;
  }

  async create(count: number): Promise<void> {
    const create = () => this.backend.create(newTask({ job: "few", owner: "owner" }));
    await Promise.all(Array.from({ length: count }, create));
  }

  /** How many tasks have started. */
  async started(): Promise<number> {
    const counts = await this.backend.operator.counts();
    return counts.reduce((sum, { counts: { RUNNING, COMPLETED } }) => sum + RUNNING + COMPLETED, 0);
  }

  /** Waits until so many tasks have started, and every worker has looked for more since. */
  async settled(count: number, workers: number): Promise<void> {
    await until(() => this.running.length === count, `${count} tasks run`);
    for (let checks = 0; checks < 2 * workers; checks++) {
      await this.admin.zadd(`${this.prefix}:few:marker`, 0, "0"); // As if there were news.
      const seen = async () => await this.admin.zcard(`${this.prefix}:few:marker`) === 0;
      await until(seen, "a worker has looked for a job");
    }
    assertEquals([await this.started(), this.running.length], [count, count]);
  }

  free(): void {
    this.#free.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.free();
    await this.admin.quit();
  }
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `limits on BullMQ: ${name}`, async () => {
    await using redis = await openRedis();
    const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix, lease: 60_000 });
    await using place = new Place(backend, redis.url, prefix);
    await run(place);
  });
}

test("workers with different limits each apply their own to the same count", async (place) => {
  await place.create(8);
  await using _small = await place.work("small", { concurrency: 2 });
  await place.settled(2, 1);
  await using _large = await place.work("large", { concurrency: 5 });
  await place.settled(5, 2);
  assertEquals(place.running.toSorted(), ["large", "large", "large", "small", "small"]);
  await using _none = await place.work("none", {});
  await place.settled(8, 3);
});

test("a limit has no effect once no worker has it", async (place) => {
  await place.create(4);
  {
    await using _worker = await place.work("limited", { concurrency: 1, rateLimit: { max: 1, per: 3_600_000 } });
    await place.settled(1, 0);
  }
  assertEquals(await place.admin.hkeys(`${place.prefix}:few:meta`), ["opts.maxLenEvents"]);
  await using _worker = await place.work("free", {});
  // The first one runs again: its worker has handed it back.
  await until(() => place.running.length === 5, "all run");
});

test("a shorter time counts from now on, although a window of a longer one has not ended", async (place) => {
  await place.create(2);
  {
    await using _worker = await place.work("slow", { rateLimit: { max: 1, per: 3_600_000 } }, 1);
    await place.settled(1, 0);
    place.free();
  }
  await using _worker = await place.work("quick", { rateLimit: { max: 1, per: 50 } });
  await until(() => place.running.includes("quick"), "the other one runs");
});

test("a worker whose rate is used up closes at once, and one whose slots are taken, too", async (place) => {
  await place.create(5);
  const slow = await place.work("slow", { rateLimit: { max: 1, per: 3_600_000 } });
  await place.settled(1, 0);
  const few = await place.work("few", { concurrency: 1 });
  // Far less than BullMQ's own pause of 30 s.
  await inTime(Promise.all([slow.close(), few.close()]), "a worker does not close", 20_000);
});

test("the limits that the owner of the queue has set count, too, and stay as they are", async (place) => {
  const queue = new Queue("few", { connection: { url: place.url }, prefix: place.prefix });
  await queue.setGlobalConcurrency(2);
  await place.create(5);
  await using _worker = await place.work("more", { concurrency: 4 });
  await place.settled(2, 1);
  await queue.setGlobalConcurrency(3);
  await place.settled(3, 1);
  await queue.removeGlobalConcurrency();
  await place.settled(4, 1);
  await queue.close();
});
