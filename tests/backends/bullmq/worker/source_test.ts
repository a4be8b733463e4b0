/**
 * How a worker takes jobs that other programs have queued.
 *
 * @module
 */
import { Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { BullMqBackend } from "../../../../mod.ts";
import type { BullMq } from "../../../../src/backends/bullmq/internals.ts";
import { JobSource } from "../../../../src/backends/bullmq/worker/source.ts";
import { isObject } from "../../../../src/json.ts";
import { messageOf } from "../../../../src/text.ts";
import type { WorkHandle } from "../../../../src/backend.ts";
import { pause } from "../../../../src/waiting.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { ignored } from "../../../support/errors.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";

interface Place {
  readonly queue: Queue;
  readonly client: Redis;
  /** What the workers have reported. */
  readonly errors: readonly unknown[];
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
    const errors: unknown[] = [];
    const start: Place["start"] = (run, concurrency) => {
      const work = backend.work({
        jobs: ["many"],
        concurrency,
        onError: (error, { task }) => errors.push([error, task]),
        run: async ({ input }) => {
          try {
            await run(isObject(input) ? Number(input.index) : NaN);
            return { kind: "value", value: null };
          } catch (error) {
            return { kind: "error", message: messageOf(error), retry: true };
          }
        },
      });
      works.push(work);
      return work;
    };
    await run({ queue, client, errors, start });
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

test("a job that cannot be read is reported, and does not keep the worker from the others", async ({ queue, client, errors, start }) => {
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
  assertEquals(errors.map((error) => Array.isArray(error) && error[1]), [first?.id]);
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

test("a job that fails with a backoff that only its own program knows is not tried again, and says so", async ({ queue, start }) => {
  const job = await queue.add("one", { index: 0 }, { attempts: 3, backoff: { type: "custom" } });
  start(() => Promise.reject(new Error("It broke.")), 1);
  await until(async () => await job.getState() === "failed", "it has failed");
  const { failedReason, attemptsMade } = await Job.fromId(queue, job.id ?? "") ?? job;
  assertEquals([failedReason, attemptsMade], [
    'It broke. (not tried again, because this worker does not know the backoff "custom")',
    1,
  ]);
});

test("a worker whose only slot a delayed job has taken leaves new jobs to others", async ({ queue, start }) => {
  const begun = new Map<number, PromiseWithResolvers<void>>();
  const beginOf = (index: number) => {
    const begin = begun.get(index) ?? Promise.withResolvers<void>();
    begun.set(index, begin);
    return begin;
  };
  const run = async (index: number) => {
    beginOf(index).resolve();
    // Of a pair, the delayed job waits until the new one has begun.
    if (index % 2 === 0) await beginOf(index + 1).promise;
  };
  start(run, 1);
  // BullMQ's own worker, which would notice by itself only after the test has failed.
  const connection = { ...queue.opts.connection };
  const other = new Worker("many", ({ data }) => run(data.index), {
    connection,
    prefix: queue.opts.prefix,
    drainDelay: 1_000,
  });
  await other.waitUntilReady();
  for (const index of [0, 2, 4]) {
    await queue.add("one", { index }, { delay: 300 + 100 * index });
    await beginOf(index).promise;
    await queue.add("one", { index: index + 1 });
    await beginOf(index + 1).promise;
  }
  await other.close(true);
});

testUnless(noRedis, "bullmq: each search for the jobs of dead workers is made when it is due", async () => {
  await using redis = await openRedis();
  const prefix = `test-${crypto.randomUUID()}`;
  await using backend = await BullMqBackend.connect({ redis: redis.url, prefix, lease: 1_000 });
  const client = new Redis(redis.url);
  const monitor = await client.monitor();
  let [asked, made] = [0, 0];
  const enough = Promise.withResolvers<void>();
  monitor.on("monitor", (_: string, [command, key]: readonly string[]) => {
    if (key !== `${prefix}:many:stalled-check`) return;
    if (command?.toUpperCase() === "SET") made++;
    else if (++asked === 20) enough.resolve();
  });
  const run = () => Promise.resolve({ kind: "value", value: null } as const);
  const work = backend.work({ jobs: ["many"], concurrency: 1, onError: ignored, run });
  await enough.promise;
  await work.stop(0);
  monitor.disconnect();
  client.disconnect();
  assert(made >= 18, `Of 20 searches, ${made} were made.`); // One that was late on its way makes the next one too early.
});

Deno.test("bullmq: a worker that stops, and cannot give back a job that comes too late, ends nothing but itself", async () => {
  const reply = Promise.withResolvers<[object, string, number, number]>();
  const backend = { moveJobFromActiveToWait: () => Promise.reject(new Error("Connection is closed.")) };
  const worker = { id: "w", getBackend: () => backend } as unknown as Worker;
  const options = { name: "many", onError: ignored, hasRoom: () => true, wake() {} };
  const source = new JobSource({} as BullMq, { worker, stopWaiting: () => Promise.resolve() }, options);
  const stopped = source.stop(source.end("w:0", () => reply.promise));
  reply.resolve([{ name: "one" }, "next", 0, 0]);
  await stopped;
  await pause(0); // An unhandled rejection would end the process by now.
});

Deno.test("bullmq: a claim that fails does not keep the job that was claimed with the end of another one from starting", async () => {
  const backend = { moveToActive: () => Promise.reject(new Error("Connection is closed.")) };
  const worker = { id: "w", getBackend: () => backend } as unknown as Worker;
  const bullmq = { Job: { fromJSON: (_: Worker, data: object) => data } } as unknown as BullMq;
  const options = { name: "many", onError: ignored, hasRoom: () => true, wake() {} };
  const source = new JobSource(bullmq, { worker, stopWaiting: () => Promise.resolve() }, options);
  await source.end("w:0", () => Promise.resolve([{ name: "one" }, "next", 0, 0]));
  const { jobs } = await source.take(2);
  assertEquals(jobs.map(({ job, token }) => [job.name, token]), [["one", "w:0"]]);
});

Deno.test("bullmq: what may be being taken is not given back, and it is said that there is such a job", async () => {
  const reply = Promise.withResolvers<readonly unknown[]>();
  const givenBack: string[] = [];
  const backend = {
    moveToActive: () => reply.promise,
    moveJobFromActiveToWait: (id: string) => Promise.resolve(void givenBack.push(id)),
  };
  const worker = { id: "w", getBackend: () => backend } as unknown as Worker;
  const bullmq = { Job: { fromJSON: (_: Worker, data: object) => data } } as unknown as BullMq;
  const options = { name: "many", onError: ignored, hasRoom: () => true, wake() {} };
  const source = new JobSource(bullmq, { worker, stopWaiting: () => Promise.resolve() }, options);
  const taking = source.take(1);
  assertEquals(await source.giveBack([["taken", "w:0"], ["lost", "w:9"]]), false);
  reply.resolve([{ name: "taken" }, "taken", 0, 0]);
  await taking;
  assertEquals(await source.giveBack([["taken", "w:0"]]), false);
  source.taken();
  assertEquals(await source.giveBack([["same token", "w:0"]]), true);
  assertEquals(givenBack, ["lost", "same token"]);
});
