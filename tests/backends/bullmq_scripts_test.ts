import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { BackendError, BullMqBackend } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { SCRIPTS } from "../../src/backends/bullmq/scripts.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";
import { hasRedisServer, RedisServer } from "../../tools/redis_server.ts";

const OWNER = "owner";

interface Place {
  readonly url: string;
  readonly backend: BullMqBackend;
  readonly admin: Redis;
  readonly queue: Queue;
}

/** Registers a case with a Redis of its own, whose scripts it may take away. */
function test(name: string, fn: (place: Place) => Promise<void>): void {
  Deno.test({
    name: `bullmq on Redis: ${name}${hasRedisServer ? "" : " (left out: install redis-server)"}`,
    ignore: !hasRedisServer,
    fn: async () => {
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
  });
}

async function create({ backend }: Place, more: { readonly delay?: number; readonly priority?: number } = {}) {
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  return await backend.create({
    id: newTaskId(),
    job: "job",
    owner: OWNER,
    input: {},
    resultTtl: 60_000,
    retry,
    ...more,
  });
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

test("where Redis knows only BullMQ's script for some jobs, every task is stored with its job", async (place) => {
  const first = await create(place);
  await place.admin.script("FLUSH");
  const other = new Queue("other", { connection: { url: place.url } });
  await other.add("job", {}); // Redis knows the script for plain jobs, and none for the rest.
  await other.close();
  const others = await Promise.all([create(place), create(place, { delay: 60_000 }), create(place, { priority: 3 })]);
  const ids = [first, ...others].map(({ id }) => id).toSorted();
  assertEquals(await stored(place), [ids, ids]);
});

test("where Redis knows only our script, a task is stored with its job", async (place) => {
  const first = await create(place);
  await place.admin.script("FLUSH");
  await place.admin.script("LOAD", SCRIPTS.create);
  const ids = [first, await create(place)].map(({ id }) => id).toSorted();
  assertEquals(await stored(place), [ids, ids]);
});

test("a server whose first task found Redis full stores the next ones once there is room", async (place) => {
  await place.admin.config("SET", "maxmemory", "1mb");
  await assertRejects(() => create(place), BackendError, "OOM");
  await place.admin.config("SET", "maxmemory", "0");
  const { id } = await create(place);
  assertEquals(await stored(place), [[id], [id]]);
});
