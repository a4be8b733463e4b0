import { type Backend, BackendError, BullMqBackend, createWorker, defineJob, type TaskInfo } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { TaskFeed } from "../../src/feed.ts";
import { assert, assertEquals, assertRejects } from "../../tools/std.ts";
import { hasRedisServer, RedisServer } from "../../tools/redis_server.ts";

const LEASE = 900;
const OWNER = "owner";

/** Only a test that fails waits as long. */
const patience = () => AbortSignal.timeout(30_000);

function create(backend: Backend, job: string): Promise<TaskInfo> {
  const retry = { attempts: 3, delay: 50, maxDelay: 50 };
  return backend.create({ id: newTaskId(), job, owner: OWNER, input: {}, resultTtl: 60_000, retry });
}

function test(name: string, fn: () => Promise<void>): void {
  const why = hasRedisServer ? "" : " (left out: install redis-server)";
  Deno.test({ name: `bullmq: ${name}${why}`, ignore: !hasRedisServer, fn });
}

test("to connect where there is no Redis is an error that says where, without the password", async () => {
  const redis = "redis://user:secret@127.0.0.1:9";
  const error = await assertRejects(() => BullMqBackend.connect({ redis }), BackendError, "127.0.0.1:9");
  assert(!error.message.includes("secret"));
});

test("while Redis is away every call says so, and nothing is half stored", async () => {
  await using redis = await RedisServer.start({ persistent: true });
  await using backend = await BullMqBackend.connect({ redis: redis.url, lease: LEASE });
  const task = await create(backend, "waits");
  await redis.kill();
  await assertRejects(() => create(backend, "waits"), BackendError);
  await assertRejects(() => create(backend, "never seen before"), BackendError);
  await assertRejects(() => backend.get(task.id, OWNER), BackendError);
  await assertRejects(() => backend.cancel(task.id, OWNER, 10), BackendError);
  await assertRejects(() => backend.list(OWNER, { limit: 10 }), BackendError);
  await redis.start();
  await using other = await BullMqBackend.connect({ redis: redis.url, lease: LEASE });
  assertEquals((await other.list(OWNER, { limit: 10 })).tasks, [task]);
});

test("a Redis that does not answer is as good as none", async () => {
  await using redis = await RedisServer.start();
  await using backend = await BullMqBackend.connect({ redis: redis.url, lease: LEASE });
  const task = await create(backend, "waits");
  redis.signal("SIGSTOP");
  try {
    await assertRejects(() => backend.get(task.id, OWNER), BackendError);
    await assertRejects(() => create(backend, "waits"), BackendError);
  } finally {
    redis.signal("SIGCONT");
  }
});

test("what ran and what waited while Redis was away ends once it is back, and those who wait hear of it", async () => {
  await using redis = await RedisServer.start({ persistent: true });
  await using server = await BullMqBackend.connect({ redis: redis.url, lease: LEASE });
  await using host = await BullMqBackend.connect({ redis: redis.url, lease: LEASE });
  const away = Promise.withResolvers<void>();
  const busy = Promise.withResolvers<void>();
  const job = defineJob({
    name: "patient",
    input: { type: "object" },
    run: async (_, ctx) => {
      busy.resolve();
      await away.promise;
      await ctx.progress(0.5);
      return "done";
    },
  });
  await using worker = createWorker(host, [job], { concurrency: 4 });
  await worker.ready;
  using feed = new TaskFeed(server);
  const tasks = await Promise.all(Array.from({ length: 12 }, () => create(server, "patient")));
  const ends = tasks.map(({ id }) => feed.wait(id, OWNER, patience()));
  await busy.promise;
  await redis.kill();
  away.resolve();
  await redis.start();
  for (const end of ends) assertEquals((await end).status, "COMPLETED");
  // The connections work as before.
  const next = await create(server, "patient");
  assertEquals((await feed.wait(next.id, OWNER, patience())).status, "COMPLETED");
  for (const { id } of tasks) {
    assertEquals(await server.outcome(id, OWNER), { kind: "value", value: "done" });
  }
});

test("a backend with a worker closes while Redis is away", async () => {
  await using redis = await RedisServer.start();
  const backend = await BullMqBackend.connect({ redis: redis.url, lease: LEASE });
  const worker = createWorker(backend, [defineJob({ name: "idle", input: { type: "object" }, run: () => "done" })]);
  await worker.ready;
  const stop = backend.watch(() => {});
  const task = await create(backend, "idle");
  using feed = new TaskFeed(backend);
  await feed.wait(task.id, OWNER, patience());
  await redis.kill();
  stop();
  await worker.close();
  await backend.close();
});

test("a worker that was started while Redis was away can be closed, or works once it is back", async () => {
  await using redis = await RedisServer.start({ persistent: true });
  await using backend = await BullMqBackend.connect({ redis: redis.url, lease: LEASE });
  await redis.kill();
  const idle = defineJob({ name: "idle", input: { type: "object" }, run: () => "done" });
  const first = createWorker(backend, [idle]);
  await first.close(0);
  await using second = createWorker(backend, [idle]);
  await redis.start();
  await second.ready;
  using feed = new TaskFeed(backend);
  const task = await create(backend, "idle");
  assertEquals((await feed.wait(task.id, OWNER, patience())).status, "COMPLETED");
});
