/**
 * Servers and workers whose clocks are wrong: Redis's clock decides.
 *
 * @module
 */
import { Redis } from "ioredis";
import type { NewTask } from "../../../../backend.ts";
import { BullMqBackend, createWorker, defineJob, type TaskInfo } from "../../../../mod.ts";
import { RedisStore } from "../../../../src/backends/bullmq/redis/store.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { ignored } from "../../../support/errors.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { startWithWrongClock } from "../../support/wrong_clock.ts";
import { SetClock } from "../../../support/set_clock.ts";

const OWNER = "owner";
const LEASE = 900;
const MINUTES = 60_000;
const HOURS = 60 * MINUTES;

interface Place {
  readonly url: string;
  readonly options: { readonly redis: string; readonly prefix: string; readonly lease: number };
  readonly backend: BullMqBackend;
  readonly feed: TaskFeed;
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `bullmq on Redis: ${name}`, async () => {
    await using redis = await openRedis();
    // Not the least permissions, because a plain worker needs more.
    const options = { redis: redis.url, prefix: crypto.randomUUID(), lease: LEASE };
    await using backend = await BullMqBackend.connect(options);
    using feed = new TaskFeed(backend);
    await run({ url: redis.url, options, backend, feed });
  });
}

type More = Partial<Pick<NewTask, "delay" | "key" | "retry" | "resultTtl">>;

/** A task in a queue of its own. */
function newTask(more: More = {}): NewTask {
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  const job = `job-${crypto.randomUUID()}`;
  return { id: newTaskId(), job, owner: OWNER, input: {}, resultTtl: MINUTES, retry, ...more };
}

/** Resolves once a task has this status. */
async function until({ feed }: Place, { id }: { readonly id: string }, status: TaskInfo["status"]): Promise<TaskInfo> {
  const { promise, resolve, reject } = Promise.withResolvers<TaskInfo>();
  const see = (task: TaskInfo) => task.status === status && resolve(task);
  using time = patience();
  feed.wait(id, OWNER, time.signal, see).then((end) => {
    see(end);
    reject(new Error(`The task has ended as ${end.status}: ${end.message}`));
  }, reject);
  return await promise;
}

/** Only a failing test waits this long. */
function patience(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error("It does not come to pass.")), 60_000);
  const stop = () => {
    clearTimeout(timer);
    controller.abort();
  };
  return { signal: controller.signal, [Symbol.dispose]: stop };
}

/** A worker whose clock is right. */
const startWorker = ({ backend }: Place, name: string) =>
  createWorker(backend, [defineJob({ name, input: { type: "object" }, run: () => "done" })]);

test("the result of a worker whose clock is ten minutes slow is kept as long as any other", async (place) => {
  const task = newTask({ resultTtl: MINUTES });
  const deed = { what: "work", options: place.options, job: task.job, run: "return" } as const;
  await using _worker = await startWithWrongClock(-10 * MINUTES, deed);
  const { createdAt } = await place.backend.create(task);
  const end = await until(place, task, "COMPLETED");
  assert("finishedAt" in end && end.finishedAt >= createdAt && end.finishedAt < createdAt + MINUTES);
  assertEquals(await place.backend.outcome(task.id, OWNER), { kind: "value", value: "done" });
});

test("the result of a plain worker whose clock is ten minutes slow is kept as long as any other", async (place) => {
  const task = newTask({ resultTtl: MINUTES });
  const deed = { what: "work plainly", options: place.options, queue: task.job, run: "return" } as const;
  await using _worker = await startWithWrongClock(-10 * MINUTES, deed);
  const { createdAt } = await place.backend.create(task);
  const end = await until(place, task, "COMPLETED");
  assert("finishedAt" in end && end.finishedAt >= createdAt && end.finishedAt < createdAt + MINUTES);
  assertEquals(await place.backend.get(task.id, OWNER), end);
});

for (const what of ["work", "work plainly"] as const) {
  const who = what === "work" ? "a worker" : "a plain worker";
  test(`a retry from ${who} whose clock was two hours fast runs when it is due`, async (place) => {
    const task = newTask({ retry: { attempts: 100, delay: 300, maxDelay: 300 } });
    const deed = what === "work"
      ? { what, options: place.options, job: task.job, run: "throw" } as const
      : { what, options: place.options, queue: task.job, run: "throw" } as const;
    {
      await using _worker = await startWithWrongClock(2 * HOURS, deed);
      await place.backend.create(task);
      await until(place, task, "RETRYING");
    }
    await using _worker = startWorker(place, task.job);
    await until(place, task, "COMPLETED");
  });
}

test("a delayed task from a server whose clock was two hours fast runs when it is due", async (place) => {
  const task = newTask({ delay: 300 });
  await using _server = await startWithWrongClock(2 * HOURS, { what: "create", options: place.options, task });
  await using _worker = startWorker(place, task.job);
  await until(place, task, "COMPLETED");
});

test("a start from a server whose clock is two hours fast finds the finished task that still holds its key", async (place) => {
  const task = newTask({ key: { name: "key", window: MINUTES } });
  await using _worker = startWorker(place, task.job);
  await place.backend.create(task);
  await until(place, task, "COMPLETED");
  const again = { ...task, id: newTaskId() };
  await using _server = await startWithWrongClock(2 * HOURS, { what: "create", options: place.options, task: again });
  const { tasks } = await place.backend.list(OWNER, { limit: 10 });
  assertEquals(tasks.map(({ id }) => id), [task.id]);
});

test("a worker whose clock is two hours fast does not take a delayed task before it is due", async (place) => {
  const late = newTask({ delay: 1 * HOURS });
  const deed = { what: "work", options: place.options, job: late.job, run: "return" } as const;
  await using _worker = await startWithWrongClock(2 * HOURS, deed);
  await place.backend.create(late);
  // It has requested jobs several times by now.
  for (let round = 0; round < 3; round++) {
    const { id } = await place.backend.create({ ...late, id: newTaskId(), delay: 0 });
    await until(place, { id }, "COMPLETED");
  }
  assertEquals((await place.backend.get(late.id, OWNER)).status, "PENDING");
});

test("a worker whose clock is ten minutes slow takes a delayed task when it is due", async (place) => {
  const task = newTask({ delay: 300 });
  const deed = { what: "work", options: place.options, job: task.job, run: "return" } as const;
  await using _worker = await startWithWrongClock(-10 * MINUTES, deed);
  await place.backend.create(task);
  await until(place, task, "COMPLETED");
});

test("the task of a dead worker whose clock was two hours fast runs again", async (place) => {
  const task = newTask();
  const deed = { what: "work", options: place.options, job: task.job, run: "hang" } as const;
  {
    await using _worker = await startWithWrongClock(2 * HOURS, deed);
    await place.backend.create(task);
    await until(place, task, "RUNNING");
  }
  await using _worker = startWorker(place, task.job);
  await until(place, task, "COMPLETED");
});

test("after Redis's own clock was set back by two hours, nothing waits for two hours", async (place) => {
  const { backend, feed, options } = place;
  const dead = newTask();
  const late = newTask({ delay: 300 });
  {
    const deed = { what: "work", options, job: dead.job, run: "hang" } as const;
    await using _worker = await startWithWrongClock(0, deed);
    await backend.create(dead);
    await until(place, dead, "RUNNING");
  }
  await backend.create(late);
  // The stored times as they are after the clock was set back.
  const client = new Redis(place.url);
  await using _client = { [Symbol.asyncDispose]: () => client.quit().then(() => {}) };
  const key = (name: string) => `${options.prefix}:${name}`;
  const due = Number(await client.zscore(key(`${late.job}:delayed`), late.id)) + 2 * HOURS * 0x1000;
  const check = Number(await client.zscore(key("mcp-jobs:expiry"), late.id));
  // All at once: what was set a moment before the clock would not be ahead of it. The lock may have run out by now.
  await client.multi()
    .set(key(`${dead.job}:${dead.id}:lock`), "the dead worker", "PX", 2 * HOURS + LEASE)
    .set(key(`${dead.job}:stalled-check`), 1, "PX", 2 * HOURS + 360)
    .set(key(`${late.job}:limiter`), 1, "PX", 2 * HOURS + 300)
    .zadd(key(`${late.job}:delayed`), due, late.id)
    .zincrby(key("mcp-jobs:expiry"), 2 * HOURS, dead.id)
    .zincrby(key("mcp-jobs:expiry"), 2 * HOURS, late.id)
    .set(key("mcp-jobs:clock"), Date.now() + 2 * HOURS)
    .exec();
  // Nobody reads the tasks meanwhile, but the worker's process looks for expired tasks.
  const store = await RedisStore.open(place.url, ignored, options.prefix);
  assertEquals(await store.records.due(10), []);
  await store.close();
  const near = (ms: number, expected: number) => assert(Math.abs(ms - expected) < MINUTES, `${ms} is not ${expected}.`);
  near(Number(await client.zscore(key(`${late.job}:delayed`), late.id)) / 0x1000, due / 0x1000 - 2 * HOURS);
  near(Number(await client.zscore(key("mcp-jobs:expiry"), late.id)), check);
  near(await client.pttl(key(`${late.job}:limiter`)), 300);
  const done = (name: string) => defineJob({ name, input: { type: "object" }, run: () => "done" });
  await using _worker = createWorker(backend, [done(dead.job), done(late.job)]);
  const signal = AbortSignal.timeout(60_000);
  const ends = await Promise.all([dead, late].map(({ id }) => feed.wait(id, OWNER, signal)));
  assertEquals(ends.map(({ status }) => status), ["COMPLETED", "COMPLETED"]);
});

test("a job goes by Redis's clock, also after the clock of its worker was set", async (place) => {
  const task = newTask();
  using clock = new SetClock();
  const job = defineJob({
    name: task.job,
    input: { type: "object" },
    run: async (_, ctx) => {
      const before = await ctx.now();
      clock.ahead = -2 * HOURS;
      return await ctx.now() - before;
    },
  });
  await using _worker = createWorker(place.backend, [job]);
  await place.backend.create(task);
  await until(place, task, "COMPLETED");
  const outcome = await place.backend.outcome(task.id, OWNER);
  assert(outcome.kind === "value" && Math.abs(Number(outcome.value)) < MINUTES, JSON.stringify(outcome));
});

test("BullMQ's scripts return when the next delayed job is due by the clock of the calling worker", async (place) => {
  const task = newTask({ delay: 1 * HOURS });
  const { createdAt } = await place.backend.create(task);
  const store = await RedisStore.open(place.url, ignored, place.options.prefix);
  const workers = store.workers();
  const { worker } = workers.open(task.job, { lockDuration: LEASE, stalledInterval: LEASE });
  await worker.waitUntilReady();
  for (const ahead of [-2 * HOURS, 0, 2 * HOURS]) {
    using _clock = new SetClock(ahead);
    const [job, , , due] = await worker.getBackend().moveToActive("token") ?? [];
    assert(!job && Math.abs(Number(due) - ahead - createdAt - 1 * HOURS) < 5_000, `It is due at ${due}.`);
  }
  await workers.close();
  await store.close();
});
