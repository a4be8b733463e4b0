import { type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { RedisStore } from "../../../../src/backends/bullmq/redis/store.ts";
import { BullMqWork } from "../../../../src/backends/bullmq/worker/mod.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { isObject } from "../../../../src/json.ts";
import type { Json } from "../../../../src/task.ts";
import { ignored } from "../../../support/errors.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { onOpenedWorker } from "../../support/opened_workers.ts";

/** How long a worker waits for a job unless it is woken, in s: longer than any test. */
const LONG_S = 600;

/** How long a worker waits otherwise before it looks for jobs by itself, in s. */
const LOOK_S = 0.5;

interface Place {
  readonly queue: Queue;
  readonly store: RedisStore;
  /** Takes a worker of ours that ends with the test. */
  keep(work: BullMqWork): void;
  /** How many markers the queue has: each wakes a worker. */
  markers(): Promise<number>;
  /** Starts a worker of BullMQ itself. */
  startOther(run: (job: Job) => Promise<unknown>): Worker;
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `bullmq: ${name}`, async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    const connection = { url: redis.url, maxRetriesPerRequest: null };
    const store = await RedisStore.open(redis.url, ignored, prefix);
    const queue = new Queue("few", { connection, prefix });
    const admin = new Redis(redis.url);
    const others: Worker[] = [];
    const ours: BullMqWork[] = [];
    try {
      await run({
        queue,
        store,
        keep: (work) => ours.push(work),
        markers: () => admin.zcard(queue.toKey("marker")),
        startOther: (run) => {
          const other = new Worker("few", run, { connection, prefix, drainDelay: LONG_S });
          others.push(other);
          return other;
        },
      });
    } finally {
      await Promise.all([...ours.map((work) => work.stop(60_000)), ...others.map((other) => other.close())]);
      await Promise.all([queue.close(), store.close(), admin.quit()]);
    }
  });
}

/**
 * A worker of ours that waits until it is woken, or for `longest`, in s, unless a delayed job is due earlier. Resolves with
 * what it has asked Redis for until it waited for a job.
 */
function startOurs(
  { store, keep }: Place,
  run: (job: Pick<Job, "name">) => Promise<unknown>,
  concurrency: number,
  longest: number = LONG_S,
) {
  const waits = Promise.withResolvers<readonly string[]>();
  const asked: string[] = [];
  const end = onOpenedWorker(store, (worker) => {
    const backend = worker.getBackend();
    const [take, wait] = [backend.moveToActive.bind(backend), backend.waitForJob.bind(backend)];
    backend.moveToActive = (...args) => {
      asked.push("take");
      return take(...args);
    };
    backend.waitForJob = (seconds) => {
      waits.resolve([...asked, "wait"]);
      return wait(seconds < LOOK_S ? seconds : longest); // A shorter wait is until a delayed job is due.
    };
  });
  keep(
    new BullMqWork(store, {
      jobs: ["few"],
      concurrency,
      lease: 60_000,
      onError: ignored,
      run: async ({ input }) => {
        await run({ name: nameIn(input) });
        return { kind: "value", value: null };
      },
    }),
  );
  end();
  return { asked: waits.promise };
}

/** The name of a job, which is its input, too: a claim has none. */
const nameIn = (input: Json) => isObject(input) ? String(input.name) : "";

/** Jobs that run until the test has ended. */
function gated() {
  const started: string[] = [];
  const gate = Promise.withResolvers<void>();
  let [enough, awaited] = [0, Promise.withResolvers<void>()];
  return {
    started,
    run: async ({ name }: Pick<Job, "name">) => {
      if (started.push(name) >= enough) awaited.resolve();
      await gate.promise;
    },
    /** Resolves once so many have started. */
    until: (count: number) => {
      [enough, awaited] = [count, Promise.withResolvers<void>()];
      if (started.length >= enough) awaited.resolve();
      return awaited.promise;
    },
    [Symbol.dispose]: () => gate.resolve(),
  };
}

test("a worker that has taken the last job waits for the next one, and no marker wakes another worker", async (place) => {
  const { queue, markers } = place;
  using jobs = gated();
  await queue.addBulk(["first", "second"].map((name) => ({ name, data: { name } })));
  assertEquals(await markers(), 1);
  const { asked } = startOurs(place, jobs.run, 4);
  assertEquals([await asked, await markers()], [["take", "take", "wait"], 0]);
  await queue.add("third", { name: "third" });
  await jobs.until(3);
  assertEquals([jobs.started, await markers()], [["first", "second", "third"], 0]);
});

test("while jobs wait, or are delayed, a marker wakes other workers as before", async (place) => {
  const { queue, markers } = place;
  using jobs = gated();
  await queue.addBulk(["first", "second"].map((name) => ({ name, data: { name } })));
  startOurs(place, jobs.run, 1);
  await jobs.until(1);
  assertEquals(await markers(), 1);
  using others = gated();
  place.startOther(others.run);
  await others.until(1);
  assertEquals(others.started, ["second"]);
});

test("beside a delayed job a worker asks when it is due, and starts it then", async (place) => {
  const { queue } = place;
  using jobs = gated();
  await queue.add("delayed", { name: "delayed" }, { delay: 2_000 }); // Not due before the worker has asked, also on a busy machine.
  await queue.add("first", { name: "first" });
  const { asked } = startOurs(place, jobs.run, 4, LOOK_S);
  assertEquals(await asked, ["take", "take", "wait"]);
  await jobs.until(2);
  assertEquals(jobs.started, ["first", "delayed"]);
});

test("no job of many waits for a worker that nothing wakes, whoever takes the last one", async (place) => {
  const { queue } = place;
  const ended = Promise.withResolvers<void>();
  let left = 200;
  const run = () => {
    if (--left === 0) ended.resolve();
    return Promise.resolve();
  };
  for (let i = 0; i < 2; i++) {
    startOurs(place, run, 1);
    place.startOther(run);
  }
  for (let i = 0; i < 100; i++) {
    await queue.add("one", {});
    await queue.add("delayed", {}, { delay: i % 7 });
  }
  await ended.promise;
  assertEquals(await queue.getJobCountByTypes("wait", "delayed", "prioritized"), 0);
});
