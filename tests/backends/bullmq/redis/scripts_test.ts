import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { TaskExpired } from "../../../../backend.ts";
import { BackendError, BullMqBackend } from "../../../../mod.ts";
import { RedisStore } from "../../../../src/backends/bullmq/redis/store.ts";
import { SCRIPTS } from "../../../../src/backends/bullmq/redis/scripts/lua.ts";
import { ignored } from "../../../support/errors.ts";
import { assert, assertEquals, assertRejects } from "../../../../tools/std.ts";
import { noOwnRedis, RedisServer } from "../../../../tools/redis_server.ts";
import { newTask } from "../../../support/tasks.ts";
import { testUnless } from "../../../support/test_unless.ts";

const OWNER = "owner";

interface Place {
  readonly url: string;
  readonly backend: BullMqBackend;
  readonly admin: Redis;
  readonly queue: Queue;
}

/** Registers a case with its own Redis, whose scripts it may delete. */
function test(name: string, fn: (place: Place) => Promise<void>): void {
  testUnless(
    noOwnRedis,
    `bullmq on Redis: ${name}`,
    async () => {
      await using server = await RedisServer.start();
      const { url } = server;
      await using backend = await BullMqBackend.connect({ redis: url });
      const admin = new Redis(url);
      const queue = new Queue("job", { connection: { url } });
      try {
        await fn({ url, backend, admin, queue });
      } finally {
        await queue.close();
        await admin.quit();
      }
    },
  );
}

async function create({ backend }: Place, more: { readonly delay?: number; readonly priority?: number } = {}) {
  return await backend.create(newTask({ owner: OWNER, ...more }));
}

/** The ids of the tasks that are stored, and of the jobs that are queued. */
async function stored({ backend, queue }: Place): Promise<readonly (readonly string[])[]> {
  const { tasks } = await backend.list(OWNER, { limit: 100 });
  const jobs = await queue.getJobs(["waiting", "delayed", "prioritized"]);
  return [tasks.map(({ id }) => id).toSorted(), jobs.map(({ id = "" }) => id).toSorted()];
}

test("tasks are stored after Redis has forgotten every script", async (place) => {
  const first = await create(place);
  await place.admin.script("FLUSH");
  const others = await Promise.all([create(place), create(place, { delay: 60_000 }), create(place, { priority: 3 })]);
  const ids = [first, ...others].map(({ id }) => id).toSorted();
  assertEquals(await stored(place), [ids, ids]);
});

test("if Redis knows BullMQ's script for some kinds of jobs only, every task is stored with its job", async (place) => {
  const first = await create(place);
  await place.admin.script("FLUSH");
  const other = new Queue("other", { connection: { url: place.url } });
  await other.add("job", {}); // Redis knows the script for plain jobs only.
  await other.close();
  const others = await Promise.all([create(place), create(place, { delay: 60_000 }), create(place, { priority: 3 })]);
  const ids = [first, ...others].map(({ id }) => id).toSorted();
  assertEquals(await stored(place), [ids, ids]);
});

test("if Redis knows only our script, a task is stored with its job", async (place) => {
  const first = await create(place);
  await place.admin.script("FLUSH");
  await place.admin.script("LOAD", SCRIPTS.create);
  const ids = [first, await create(place)].map(({ id }) => id).toSorted();
  assertEquals(await stored(place), [ids, ids]);
});

test("after a first task that Redis had no memory for, a server stores tasks once there is room", async (place) => {
  await place.admin.config("SET", "maxmemory", "1mb");
  await assertRejects(() => create(place), BackendError, "OOM");
  await place.admin.config("SET", "maxmemory", "0");
  const { id } = await create(place);
  assertEquals(await stored(place), [[id], [id]]);
});

test("only the fact that a task has expired is left of it, and Redis deletes that after a while", async (place) => {
  const { backend, admin, url } = place;
  const { id } = await create(place);
  await backend.cancel(id, OWNER, 0);
  const store = await RedisStore.open(url, ignored);
  const snapshot = await store.records.read(id);
  assert(snapshot);
  assertEquals(await store.records.expire(snapshot), true);
  await store.close();
  await assertRejects(() => backend.get(id, OWNER), TaskExpired);
  const ofClocks = ["bull:mcp-jobs:ahead", "bull:mcp-jobs:clock"];
  const left = (await admin.keys(`bull:mcp-jobs:*`)).filter((key) => !ofClocks.includes(key));
  assertEquals(left.toSorted(), ["bull:mcp-jobs:format", "bull:mcp-jobs:queues", `bull:mcp-jobs:task:${id}`]);
  const ms = await admin.pttl(`bull:mcp-jobs:task:${id}`);
  assert(ms > 3_500_000 && ms <= 3_600_000, `${ms} ms are left.`);
  assertEquals(await admin.exists(`bull:job:${id}`), 0);
});

test("an answer to a finished or cancelled task is not stored", async (place) => {
  const { backend, admin, url } = place;
  const question = { key: "which", message: "Which?", schema: { type: "object" } };
  const store = await RedisStore.open(url, ignored);
  const [ended, cancelled] = [await create(place), await create(place)];
  const worker = new Worker("job", null, { connection: { url } });
  const job = await worker.getNextJob("token");
  await worker.getNextJob("token");
  for (const { id } of [ended, cancelled]) {
    await store.records.storeQuestions({ id, run: 1, token: "token" }, [question]);
  }
  assertEquals(job?.id, ended.id);
  await job?.moveToCompleted("done", "token", false);
  await backend.cancel(cancelled.id, OWNER, 0);
  for (const { id } of [ended, cancelled]) {
    const before = await backend.get(id, OWNER);
    assertEquals(await backend.answer(id, OWNER, { which: { action: "decline" } }), { task: before, counted: [] });
    assertEquals(await admin.hget(`bull:mcp-jobs:task:${id}`, "answer:which"), null);
  }
  await worker.close();
  await store.close();
});

test("if Redis does not list connections, a worker counts as connected", async ({ admin, url }) => {
  await admin.call("ACL", "SETUSER", "shy", "on", ">secret", "~*", "&*", "+@all", "-client", "+client|setname");
  await using backend = await BullMqBackend.connect({ redis: url.replace("redis://", "redis://shy:secret@") });
  assertEquals(await backend.hasWorker("job"), true);
});

test("many looks for workers at a time list the connections of Redis once, whichever queues they are for", async (place) => {
  const { backend, admin, url } = place;
  const worker = new Worker("job", null, { connection: { url } });
  await worker.waitUntilReady();
  const lists = async () => Number(/cmdstat_client\|list:calls=(\d+)/.exec(await admin.info("commandstats"))?.[1] ?? 0);
  const jobs = ["job", "other", "third"];
  for (const job of jobs) await backend.hasWorker(job); // Opens the queues.
  const before = await lists();
  const looks = Array.from({ length: 60 }, (_, index) => backend.hasWorker(jobs[index % 3] ?? ""));
  assertEquals(await Promise.all(looks), looks.map((_, index) => index % 3 === 0));
  const asked = await lists() - before;
  assert(asked <= 1, `Redis has listed its connections ${asked} times.`);
  await worker.close();
});

test("a task that is less urgent than BullMQ's lowest priority runs last", async (place) => {
  const least = await create(place, { priority: 2 ** 40 });
  const next = await create(place, { priority: 2 ** 20 });
  const waiting = await place.queue.getPrioritized();
  assertEquals(waiting.map(({ id }) => id), [next.id, least.id]);
});

test("a record that another program has damaged keeps no other from being read with it", async (place) => {
  const [damaged, whole] = [await create(place), await create(place)];
  await place.admin.hset(`bull:mcp-jobs:task:${damaged.id}`, "fault", "no JSON");
  const found = await Promise.all([damaged, whole].map(({ id }) => place.backend.get(id, OWNER)));
  assertEquals(found.map(({ id }) => id), [damaged.id, whole.id]);
});
