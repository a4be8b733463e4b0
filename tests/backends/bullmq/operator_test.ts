/**
 * What an operator sees of a queue that others work on, too, and what is left of deleted tasks.
 *
 * @module
 */
import { type Job, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { NewTask, TaskInfo } from "../../../backend.ts";
import { BullMqBackend, createWorker, defineJob } from "../../../mod.ts";
import { DefinitionError } from "../../../src/errors.ts";
import { noRedis, openRedis } from "../../../tools/redis_server.ts";
import { assert, assertEquals, assertRejects } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";
import { newTask } from "../../support/tasks.ts";

const ROUTE = { queue: "images", jobName: "resize-image" };

interface Place {
  readonly backend: BullMqBackend;
  readonly connection: { readonly url: string };
  readonly prefix: string;
  readonly admin: Redis;
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `an operator on BullMQ: ${name}`, async () => {
    await using redis = await openRedis();
    const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    const admin = new Redis(redis.url);
    await run({ backend, connection: { url: redis.url }, prefix, admin }).finally(() => admin.quit());
  });
}

function create({ backend }: Place, more: Partial<NewTask> = {}): Promise<TaskInfo> {
  return backend.create(newTask({ job: "resize", owner: "owner", ...more }));
}

/** A worker as in other people's code. */
function startOther(
  { connection, prefix }: Place,
  queue: string,
  run: (job: Job) => Promise<unknown>,
): AsyncDisposable {
  const worker = new Worker(queue, run, { connection, prefix });
  worker.on("error", () => {}); // The test checks what becomes of the task.
  return { [Symbol.asyncDispose]: () => worker.close() };
}

/** How many tasks of the job "resize" are in each state, without those of which there are none. */
async function counted({ backend }: Place) {
  const found = (await backend.operator.counts()).find(({ job }) => job === "resize");
  return Object.fromEntries(Object.entries(found?.counts ?? {}).filter(([, count]: [string, number]) => count > 0));
}

/** Waits until a task has a status, as an operator sees it. */
function becomes({ backend }: Place, id: string, status: TaskInfo["status"]): Promise<void> {
  return until(async () => (await backend.operator.get(id)).status === status, `task ${id} is ${status}`);
}

test("tasks of a route are listed and counted under their job, also when workers of others complete, fail and retry them", async (place) => {
  const { backend } = place;
  const retry = { attempts: 2, delay: 600_000, maxDelay: 600_000 };
  const held = Promise.withResolvers<void>();
  await using _other = startOther(place, "images", async ({ data }) => {
    if (data.fails) throw new Error("no such file");
    if (data.waits) await held.promise;
  });
  using _free = { [Symbol.dispose]: () => held.resolve() };
  const done = await create(place, { route: ROUTE });
  const failed = await create(place, { route: ROUTE, input: { fails: true } });
  const again = await create(place, { route: ROUTE, input: { fails: true }, retry });
  await becomes(place, again.id, "RETRYING");
  const running = await create(place, { route: ROUTE, input: { waits: true } });
  const waiting = await create(place, { route: ROUTE });
  await becomes(place, running.id, "RUNNING");
  await becomes(place, failed.id, "FAILED");
  await becomes(place, done.id, "COMPLETED");
  const expected = { COMPLETED: done, FAILED: failed, RETRYING: again, RUNNING: running, PENDING: waiting };
  assertEquals(await counted(place), { COMPLETED: 1, FAILED: 1, RETRYING: 1, RUNNING: 1, PENDING: 1 });
  for (const [status, { id }] of Object.entries(expected) as [TaskInfo["status"], TaskInfo][]) {
    const { tasks } = await backend.operator.tasks({ job: "resize", status });
    assertEquals(tasks.map((task) => task.id), [id], status);
  }
  assertEquals((await backend.operator.counts()).map(({ job }) => job), ["resize"]);
  held.resolve();
  await becomes(place, waiting.id, "COMPLETED");
  await becomes(place, running.id, "COMPLETED");
  assertEquals(await counted(place), { COMPLETED: 3, FAILED: 1, RETRYING: 1 });
});

test("a job that no queue can have the name of is neither paused nor resumed, and nothing of it is stored", async (place) => {
  const { backend: { operator }, admin, prefix } = place;
  for (const act of ["pause", "resume"] as const) {
    const expected = `Cannot use "a:b" as job of ${act}: it must be a text without ":" on BullMQ.`;
    await assertRejects(() => operator[act]("a:b"), DefinitionError, expected);
  }
  assertEquals(await admin.exists(`${prefix}:mcp-jobs:paused`), 0);
});

test("a pause holds back the workers of others, too, and a pause that others have made is seen", async (place) => {
  const { backend, connection, prefix } = place;
  let runs = 0;
  await using _other = startOther(place, "images", () => Promise.resolve(++runs));
  const first = await create(place, { route: ROUTE });
  await becomes(place, first.id, "COMPLETED");
  assertEquals(await backend.operator.pause("resize"), ["images"]);
  const second = await create(place, { route: ROUTE });
  const queue = new Queue("images", { connection, prefix });
  assertEquals(await queue.isPaused(), true);
  await queue.resume();
  await becomes(place, second.id, "COMPLETED");
  await queue.pause();
  await queue.close();
  const [counts] = await backend.operator.counts();
  assertEquals([counts?.job, counts?.paused, runs], ["resize", true, 2]);
  await backend.operator.resume("resize");
  const third = await create(place, { route: ROUTE });
  await becomes(place, third.id, "COMPLETED");
});

test("a parked task that a dashboard promotes counts as running, and a task whose job was deleted as failed", async (place) => {
  const { backend, connection, prefix } = place;
  const held = Promise.withResolvers<void>();
  let runs = 0;
  const job = defineJob({
    name: "resize",
    input: { type: "object" },
    parkAfter: 0,
    run: async (_, ctx) => {
      if (++runs > 1) await held.promise;
      else await ctx.elicit({ message: "Which?", schema: { type: "object" } });
    },
  });
  await using _worker = createWorker(backend, [job], { grace: 0 });
  const { id } = await create(place);
  await until(async () => (await backend.operator.counts())[0]?.parked === 1, "the task is parked");
  const deleted = await create(place, { delay: 600_000 });
  const queue = new Queue("resize", { connection, prefix });
  await (await queue.getJob(id))?.promote();
  await until(() => runs === 2, "the task runs again");
  await queue.remove(deleted.id);
  await queue.close();
  await becomes(place, deleted.id, "FAILED");
  const [counts] = await backend.operator.counts();
  assertEquals([await counted(place), counts?.parked], [{ RUNNING: 1, FAILED: 1 }, 0]);
  held.resolve();
  await becomes(place, id, "COMPLETED");
  assertEquals(await counted(place), { COMPLETED: 1, FAILED: 1 });
});

test("a task that was cancelled while it waited can be repeated, in the queue that it was sent to", async (place) => {
  const { backend, connection, prefix } = place;
  const input = { file: "a.png" };
  const retry = { attempts: 3, delay: 20, maxDelay: 50 };
  const { id } = await create(place, { route: ROUTE, input, retry, priority: 7, timeout: 900 });
  await backend.operator.cancel(id);
  assertEquals(await backend.operator.input(id), input);
  const again = await backend.operator.retry(id);
  const queue = new Queue("images", { connection, prefix });
  const [first, second] = [await queue.getJob(id), await queue.getJob(again.id)];
  await queue.close();
  assertEquals([first, second?.name, second?.data], [undefined, ROUTE.jobName, input]);
  const { attempts, backoff, priority } = second?.opts ?? {};
  assertEquals([attempts, priority], [3, 7]);
  assertEquals<unknown>(backoff, { type: "exponential", delay: 20, jitter: 0.5, maxDelay: 50 });
  assertEquals(Reflect.get(second?.opts ?? {}, "mcp-jobs"), { owner: "owner", timeout: 900 });
});

test("nothing is left in Redis of tasks that were purged", async (place) => {
  const { backend, prefix, admin } = place;
  const job = defineJob({
    name: "resize",
    input: { type: "object" },
    run: async (_, ctx) => {
      await ctx.step("one", () => 1);
      ctx.log("info", "a line");
      return "x".repeat(50_000); // Too long for the job of BullMQ.
    },
  });
  const cancelled = await create(place);
  await backend.operator.cancel(cancelled.id);
  const done = [await create(place), await create(place)];
  {
    await using _worker = createWorker(backend, [job]);
    for (const { id } of done) await becomes(place, id, "COMPLETED");
  }
  const before = Date.now() + 60_000;
  assertEquals(await backend.operator.purge({ status: "COMPLETED", before }), 2);
  assertEquals(await backend.operator.purge({ status: "CANCELLED", before }), 1);
  const ids = [cancelled, ...done].map(({ id }) => id);
  const keys = (await admin.keys("*")).filter((key) => key.startsWith(prefix));
  assertEquals(keys.filter((key) => ids.some((id) => key.includes(id))), []);
  for (const key of keys) {
    const members = await admin.type(key) === "zset" ? await admin.zrange(key, "0", "-1") : [];
    assert(!ids.some((id) => members.includes(id)), `${key} has the id of a purged task`);
  }
});

test("the input of a task whose job was deleted cannot be read, and the error says why", async (place) => {
  const { backend, connection, prefix } = place;
  const { id } = await create(place);
  const queue = new Queue("resize", { connection, prefix });
  await queue.remove(id);
  await queue.close();
  await assertRejects(() => backend.operator.input(id), Error, "its job was deleted from the queue");
});

test("a purge that failed half-way is completed by the next one", async (place) => {
  const { backend, prefix, connection, admin } = place;
  const { id } = await create(place);
  await using _worker = createWorker(backend, [
    defineJob({ name: "resize", input: { type: "object" }, run: () => null }),
  ]);
  await becomes(place, id, "COMPLETED");
  // As far as it came before Redis was gone.
  await admin.hset(`${prefix}:mcp-jobs:task:${id}`, "expired", 1);
  const queue = new Queue("resize", { connection, prefix });
  await queue.remove(id).finally(() => queue.close());
  assertEquals(await counted(place), { COMPLETED: 1 });
  assertEquals(await backend.operator.purge({ status: "COMPLETED", before: Date.now() + 1_000 }), 1);
  assertEquals(await counted(place), {});
});

test("a worker that starts deletes what those that were killed have left", async ({ backend, prefix, admin }) => {
  const workers = `${prefix}:mcp-jobs:workers`;
  const [killed, living] = [Date.now() - 1_000, Date.now() + 60_000].map((until) =>
    JSON.stringify({ until, jobs: [] })
  );
  await admin.hset(workers, { killed, living });
  await using worker = createWorker(backend, [
    defineJob({ name: "resize", input: { type: "object" }, run: () => null }),
  ]);
  await worker.ready;
  const names = await admin.hkeys(workers);
  assertEquals([names.length, names.includes("killed"), names.includes("living")], [2, false, true]);
});
