/**
 * What waiting calls notice when tasks are deleted from outside, by operations of BullMQ or of Redis.
 *
 * @module
 */
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { BullMqBackend, createWorker, defineJob } from "../../../mod.ts";
import { RedisStore } from "../../../src/backends/bullmq/redis/store.ts";
import { change, isBefore } from "../../../src/backends/bullmq/redis/events/tally.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { KeyInUse } from "../../../src/errors.ts";
import { newTaskId } from "../../../src/ids.ts";
import { ignored } from "../../support/errors.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { noOwnRedis, RedisServer } from "../../../tools/redis_server.ts";
import { assertLost, wait } from "../../mcp/http/support/waiters.ts";
import { testUnless } from "../../support/test_unless.ts";

/** An operation on the queue, or on all of Redis. */
type Deed = (queue: Queue, admin: Redis) => Promise<unknown>;

const GONE = "The queue no longer has the job of this task: it was removed, or Redis has lost it.";

function test(name: string, run: (url: string) => Promise<void>): void {
  testUnless(noOwnRedis, `bullmq on Redis: ${name}`, async () => {
    await using server = await RedisServer.start();
    await run(server.url);
  });
}

async function withQueue(url: string, name: string, use: Deed): Promise<void> {
  const admin = new Redis(url, { maxRetriesPerRequest: null });
  const queue = new Queue(name, { connection: admin });
  try {
    await use(queue, admin);
  } finally {
    await queue.close();
    await admin.quit();
  }
}

/** The jobs are deleted, our records stay: each task has failed. */
const DELETIONS: { readonly [name: string]: Deed } = {
  "drain": (queue) => queue.drain(),
  "clean": (queue) => queue.clean(0, 100, "wait"),
  "obliterate": (queue) => queue.obliterate({ force: true }),
  "remove": async (queue) => {
    for (const job of await queue.getJobs(["waiting"])) await job.remove();
  },
};

for (const [name, act] of Object.entries(DELETIONS)) {
  test(`a call that waits for a task notices that ${name} has deleted its job`, async (url) => {
    await using waiters = await wait(await BullMqBackend.connect({ redis: url }));
    await withQueue(url, "contract", act);
    const [asked, ...called] = await waiters.answers;
    assertEquals([asked?.error?.code, asked?.error?.message], [-32603, GONE]);
    for (const { result } of called) {
      assertEquals([result?.isError, result?.content[0].text], [true, `Failed: ${GONE}`]);
    }
    const read = await waiters.read();
    const [pushed, listened] = await waiters.ends;
    assertEquals([pushed?.params?.status, pushed?.params?.statusMessage], ["failed", GONE]);
    assertEquals(read["2025-11-25"]?.result?.status, "failed");
    assertEquals([listened?.params?.status, listened?.params?.error], ["failed", read["2026-07-28"]?.result?.error]);
  });
}

test("waiting calls notice that FLUSHALL has deleted everything", async (url) => {
  await using waiters = await wait(await BullMqBackend.connect({ redis: url }));
  await withQueue(url, "contract", (_, admin) => admin.flushall());
  await assertLost(waiters);
});

test("after FLUSHALL new tasks emit events as before, even if Redis's clock was set back", async (url) => {
  const store = await RedisStore.open(url, ignored);
  const admin = new Redis(url);
  const events = "bull:queue:events";
  const received: string[] = [];
  let notified = Promise.withResolvers<void>();
  const changed = (id: string) => {
    received.push(id);
    notified.resolve();
  };
  const subscription = await store.subscribe("queue", changed, () => notified.resolve());
  const next = () => {
    notified = Promise.withResolvers();
    return notified.promise;
  };
  try {
    let event = next();
    await admin.xadd(events, "2000-0", "event", "active", "jobId", "first");
    await event;
    event = next();
    // A new stream begins before anybody noticed that the old one was gone.
    await admin.multi().flushall().xadd(events, "1000-0", "event", "active", "jobId", "second").exec();
    await event;
    if (!received.includes("second")) await next();
    assertEquals(received, ["first", "second"]);
  } finally {
    await subscription.close();
    await admin.quit();
    await store.close();
  }
});

test("jobs that are deleted just after their queue was subscribed to are noticed", async (url) => {
  const store = await RedisStore.open(url, ignored);
  const admin = new Redis(url);
  await admin.lpush("bull:queue:wait", "job");
  const received = Promise.withResolvers<void>();
  let missed = 0;
  const subscription = await store.subscribe("queue", () => received.resolve(), () => missed++);
  try {
    // Its connection is not open yet.
    await admin.del("bull:queue:wait");
    await admin.xadd("bull:queue:events", "*", "event", "active", "jobId", "other");
    await received.promise;
    assertEquals(missed, 1);
  } finally {
    await subscription.close();
    await admin.quit();
    await store.close();
  }
});

test("ordinary events of a queue are not reported as missed", async (url) => {
  await using backend = await BullMqBackend.connect({ redis: url });
  using feed = new TaskFeed(backend);
  const flaky = defineJob({
    name: "flaky",
    input: { type: "object" },
    run: (_, { attempt }) => {
      if (attempt === 1) throw new Error("once more");
    },
  });
  await using worker = createWorker(backend, [flaky]);
  await worker.ready;
  await backend.keys.writeKey("ann", "full", undefined, "a text");
  const store = await RedisStore.open(url, ignored);
  let gaps = 0;
  const subscription = await store.subscribe("flaky", () => {}, () => gaps++);
  try {
    await withQueue(url, "flaky", async (queue, admin) => {
      await admin.config("RESETSTAT");
      const counts = async () =>
        Number((await admin.info("commandstats")).match(/cmdstat_xrevrange:calls=(\d+)/)?.[1] ?? 0);
      for (let delay = 0; await counts() < 8; delay = 20 - delay) { // Two count.
        const retry = { attempts: 2, delay: 10, maxDelay: 10 };
        const task = { id: newTaskId(), job: "flaky", owner: "ann", input: {}, resultTtl: 60_000, retry, delay };
        await feed.wait((await backend.create(task)).id, "ann", new AbortController().signal);
        const other = await queue.add("flaky", {}, { delay: 60_000, priority: 1 });
        await other.remove();
        const job = await queue.getJob(task.id);
        await job?.retry("completed");
        const refused = { ...task, id: newTaskId(), unless: "full" };
        await assertRejects(() => backend.create(refused), KeyInUse); // Its job was in the queue for a moment.
      }
    });
    assertEquals(gaps, 0);
  } finally {
    await subscription.close();
    await store.close();
  }
});

Deno.test("bullmq: the number of unfinished jobs follows from a queue's events", () => {
  const events: readonly (readonly [event: string, prev: string | undefined, change: number])[] = [
    ["added", undefined, 1],
    ["waiting", undefined, 0],
    ["waiting", "failed", 1],
    ["waiting", "active", 0],
    ["completed", "active", -1],
    ["failed", "active", -1],
    ["delayed", undefined, 0],
    ["removed", "wait", -1],
    ["removed", "completed", 0],
    ["progress", undefined, 0],
  ];
  for (const [event, prev, by] of events) assertEquals([event, prev, change(event, prev)], [event, prev, by]);
  assertEquals([isBefore("5-9", "5-10"), isBefore("5-10", "5-9"), isBefore("0-0", "5-0"), isBefore("5", "5-0")], [
    true,
    false,
    true,
    false,
  ]);
});
