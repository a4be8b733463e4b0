/**
 * An existing queue, whose workers are BullMQ's own and know nothing of mcp-jobs.
 *
 * @module
 */
import {
  DelayedError,
  type Job,
  Queue,
  QueueEvents,
  RateLimitError,
  UnrecoverableError,
  WaitingChildrenError,
  WaitingError,
  Worker,
} from "bullmq";
import { Redis } from "ioredis";
import { type NewTask, TaskExpired, TaskFinished } from "../../../../backend.ts";
import { BullMqBackend, createWorker, defineJob, isFinished, type TaskInfo } from "../../../../mod.ts";
import { RedisStore } from "../../../../src/backends/bullmq/redis/store.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { ignored } from "../../../support/errors.ts";
import { assertEquals, assertMatch, assertRejects } from "../../../../tools/std.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";

const OWNER = "owner";

/** The queue of the tool's tasks. */
const ROUTE = { queue: "images", jobName: "resize-image" };

interface Place {
  readonly backend: BullMqBackend;
  readonly feed: TaskFeed;
  readonly connection: { readonly url: string };
  readonly prefix: string;
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `bullmq: ${name}`, async () => {
    await using redis = await openRedis();
    const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    using feed = new TaskFeed(backend);
    await run({ backend, feed, connection: { url: redis.url }, prefix });
  });
}

/** A worker as in other people's code. With `lease` it counts as dead after so many ms. */
function startWorker(
  place: Place,
  run: (job: Job, token: string, worker: Worker) => Promise<unknown>,
  lease = 30_000,
): AsyncDisposable {
  const { connection, prefix } = place;
  const options = { connection, prefix, lockDuration: lease, stalledInterval: lease };
  const worker: Worker = new Worker("images", (job, token = "") => run(job, token, worker), options);
  worker.on("error", () => {}); // The test checks what becomes of the task.
  return { [Symbol.asyncDispose]: () => worker.close() };
}

async function create(place: Place, input: NewTask["input"], retry = { attempts: 1, delay: 10, maxDelay: 10 }) {
  return await place.backend.create({
    id: newTaskId(),
    job: "resize",
    owner: OWNER,
    input,
    resultTtl: 60_000,
    retry,
    route: ROUTE,
  });
}

/** Waits for the task's end, and returns all that was emitted until then. */
async function follow(
  place: Place,
  { id }: TaskInfo,
  emitted: (task: TaskInfo) => void = () => {},
): Promise<readonly TaskInfo[]> {
  const seen: TaskInfo[] = [];
  const end = await place.feed.wait(id, OWNER, AbortSignal.timeout(60_000), (task) => {
    seen.push(task);
    emitted(task);
  });
  return [...seen, end];
}

/** Two attempts, of which the second one does not begin by itself while a test runs. */
const LATE_RETRY: NewTask["retry"] = { attempts: 2, delay: 120_000, maxDelay: 120_000 };

/** As `follow`. The second attempt begins once it was emitted that the task waits for it. */
async function followRetries(place: Place, task: TaskInfo): Promise<readonly TaskInfo[]> {
  const queue = new Queue(ROUTE.queue, { connection: place.connection, prefix: place.prefix });
  let promoted: Promise<void> | undefined;
  const promote = async () => await (await queue.getJob(task.id))?.promote();
  const seen = await follow(place, task, ({ status }) => {
    if (status === "RETRYING") promoted ??= promote();
  });
  await promoted;
  await queue.close();
  return seen;
}

test("a plain worker gets exactly the input, under its own job name, and the owner gets its result", async (place) => {
  const { backend } = place;
  const got: unknown[] = [];
  await using _worker = startWorker(place, (job) => {
    got.push([job.name, job.data]);
    return Promise.resolve({ width: 10 });
  });
  const task = await create(place, { file: "a.png" });
  const end = (await follow(place, task)).at(-1);
  assertEquals([end?.status, end?.job, end?.attempt], ["COMPLETED", "resize", 1]);
  assertEquals(got, [["resize-image", { file: "a.png" }]]);
  assertEquals(await backend.outcome(task.id, OWNER), { kind: "value", value: { width: 10 } });
  assertEquals(await backend.hasWorker("resize", ROUTE), true);
  assertEquals(await backend.hasWorker("resize"), true);
  assertEquals(await backend.hasWorker("resiz"), false);
  assertEquals(await backend.hasWorker("re:size"), false); // BullMQ has no queue of such a name.
  assertEquals(await backend.hasWorker("resize", { ...ROUTE, queue: "thumbnails" }), false);
});

test("a worker of ours runs a task that another job's tool puts into its queue", async (place) => {
  const { backend } = place;
  const images = defineJob({ name: "images", input: { type: "object" }, run: () => ({ width: 20 }) });
  await using worker = createWorker(backend, [images]);
  await worker.ready;
  const task = await create(place, { file: "a.png" });
  const end = (await follow(place, task)).at(-1);
  assertEquals([end?.status, end?.job], ["COMPLETED", "resize"]);
  assertEquals(await backend.outcome(task.id, OWNER), { kind: "value", value: { width: 20 } });
});

test("a job from another producer runs without a time-out, whatever its options say", async (place) => {
  const { backend, connection, prefix } = place;
  const images = defineJob({
    name: "images",
    input: { type: "object" },
    run: (_, { signal }) => new Promise((resolve) => setTimeout(() => resolve(signal.aborted), 50)),
  });
  await using worker = createWorker(backend, [images]);
  await worker.ready;
  const queue = new Queue("images", { connection, prefix });
  const events = new QueueEvents("images", { connection, prefix });
  await events.waitUntilReady();
  for (const timeout of [0, -5, 10, 3e10]) {
    const job = await queue.add("resize-image", {}, { attempts: 1, ...{ timeout } });
    assertEquals(await job.waitUntilFinished(events), false);
  }
  await events.close();
  await queue.close();
});

test("a plain worker's progress is read as a fraction, a percentage, or an object with a message", async (place) => {
  const steps: readonly (number | { readonly progress: number; readonly message: string })[] = [
    0.25,
    50,
    { progress: 75, message: "sharpening" },
    { progress: 75, message: "writing" },
  ];
  const gates = steps.map(() => Promise.withResolvers<void>());
  await using _worker = startWorker(place, async (job) => {
    for (const [index, step] of steps.entries()) {
      await job.updateProgress(step);
      await gates[index]?.promise;
    }
  });
  const task = await create(place, {});
  const said: unknown[] = [];
  await place.feed.wait(task.id, OWNER, AbortSignal.timeout(60_000), ({ progress, message }) => {
    if (progress === undefined) return;
    said.push([progress, message]);
    gates[said.length - 1]?.resolve();
  });
  assertEquals(said, [[0.25, undefined], [0.5, undefined], [0.75, "sharpening"], [0.75, "writing"]]);
  assertEquals(await place.backend.outcome(task.id, OWNER), { kind: "value", value: null });
});

test("a plain worker's progress that is not JSON is ignored, and affects neither its task nor others", async (place) => {
  const { backend, connection: { url }, prefix } = place;
  const gate = Promise.withResolvers<void>();
  const run = async (job: Job) => {
    if (!job.data.odd) return;
    await Reflect.apply(job.updateProgress, job, [undefined]); // BullMQ on Node stores an empty text.
    await gate.promise;
  };
  await using _one = startWorker(place, run);
  await using _other = startWorker(place, run);
  const odd = await create(place, { odd: true });
  const end = follow(place, odd);
  for (const file of ["a.png", "b.png"]) await follow(place, await create(place, { file }));
  const { status, progress } = await backend.get(odd.id, OWNER);
  assertEquals([status, progress], ["RUNNING", undefined]);
  assertEquals((await backend.list(OWNER, { limit: 10 })).tasks.length, 3);
  gate.resolve();
  assertEquals((await end).at(-1)?.status, "COMPLETED");
  // A result that is not JSON, whoever wrote it, is returned as text.
  const client = new Redis(url);
  await client.hset(`${prefix}:images:${odd.id}`, "returnvalue", "half a {");
  await client.quit();
  assertEquals(await backend.outcome(odd.id, OWNER), { kind: "value", value: "half a {" });
});

test("a plain worker's failure is tried again, and its last error is the tool error", async (place) => {
  const { backend } = place;
  await using _worker = startWorker(place, (job) => {
    if (job.data.hopeless) throw new UnrecoverableError("not an image");
    throw new Error(`out of memory at attempt ${job.attemptsMade + 1}`);
  });
  const task = await create(place, {}, LATE_RETRY);
  const seen = await followRetries(place, task);
  assertEquals(seen.some(({ status }) => status === "RETRYING"), true);
  const end = seen.at(-1);
  assertEquals([end?.status, end?.attempt], ["FAILED", 2]);
  const message = "out of memory at attempt 2";
  assertEquals(await backend.outcome(task.id, OWNER), { kind: "tool_error", message });

  const hopeless = await create(place, { hopeless: true }, LATE_RETRY);
  assertEquals((await follow(place, hopeless)).at(-1)?.attempt, 1);
  assertEquals(await backend.outcome(hopeless.id, OWNER), { kind: "tool_error", message: "not an image" });
});

test("a task that a plain worker puts back without a failure says why it waits", async (place) => {
  const { connection, prefix } = place;
  const queue = new Queue("images", { connection, prefix });
  const ways: { readonly [way: string]: (job: Job, token: string, worker: Worker) => Promise<Error> } = {
    limit: async (_, __, worker) => {
      await worker.rateLimit(100);
      return new RateLimitError();
    },
    delay: async (job, token) => {
      await job.moveToDelayed(Date.now() + 60_000, token);
      return new DelayedError();
    },
    wait: async (job, token) => {
      await job.moveToWait(token);
      return new WaitingError();
    },
    parent: async (job, token) => {
      const parent = { id: job.id ?? "", queue: job.queueQualifiedName };
      await queue.add("child", {}, { parent });
      await job.moveToWaitingChildren(token);
      return new WaitingChildrenError();
    },
  };
  await using _worker = startWorker(place, async (job, token, worker) => {
    const way = ways[job.data.way];
    if (way === undefined || job.attemptsStarted > 1) return;
    await queue.pause(); // Otherwise it would be taken again before the test could read it.
    throw await way(job, token, worker);
  });
  const back = "Put back into the queue by its worker; waits for its turn.";
  const said: readonly (readonly [way: string, message: string])[] = [
    ["limit", back],
    ["delay", "Put off by its worker; runs again when it is due."],
    ["wait", back],
    ["parent", "Put off by its worker until other jobs have ended."],
  ];
  for (const [way, expected] of said) {
    const { id } = await create(place, { way }, { attempts: 2, delay: 10, maxDelay: 10 });
    const seen: unknown[] = [];
    const goOn = async () => {
      if (way === "delay") await (await queue.getJob(id))?.promote();
      await queue.resume();
    };
    const end = await place.feed.wait(id, OWNER, AbortSignal.timeout(60_000), ({ status, message }) => {
      if (message === undefined || seen.length > 0) return;
      seen.push(status, message);
      void goOn();
    });
    assertEquals([...seen, end.status], ["PENDING", expected, "COMPLETED"], way);
  }
  await queue.close();
});

test("a plain worker that throws a value that is no Error fails its task without a reason", async (place) => {
  await using _worker = startWorker(place, (job) => Promise.reject(job.data.thrown));
  for (const thrown of ["text", 5, { code: 7 }]) {
    const seen = await followRetries(place, await create(place, { thrown }, LATE_RETRY));
    const retry = seen.find(({ status }) => status === "RETRYING");
    assertEquals(retry?.message, "Attempt 1 of 2 failed and gave no reason.");
    const { id, status, message } = seen.at(-1) ?? {};
    assertEquals([status, message], ["FAILED", "The job failed and gave no reason."]);
    const outcome = await place.backend.outcome(id ?? "", OWNER);
    assertEquals(outcome, { kind: "tool_error", message: "The job failed and gave no reason." });
  }
});

test("a task whose plain worker throws null does not claim that the worker shut down", async (place) => {
  await using _worker = startWorker(place, () => Promise.reject(null), 300);
  const seen = await follow(place, await create(place, {}));
  const said = seen.flatMap(({ message }) => message ?? []);
  assertMatch(
    said.at(-1) ?? "",
    /^The worker died 2 times while it ran this task, or lost it, so it is not tried again/,
  );
  assertEquals(said.filter((message) => !/^The worker died .*, or lost it/.test(message)), []);
});

test("a plain worker does not notice a cancel, the task says so, and a late result changes nothing", async (place) => {
  const { backend } = place;
  const started = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const worker = startWorker(place, async () => {
    started.resolve();
    await gate.promise;
    return "too late";
  });
  const task = await create(place, {});
  await started.promise;
  const end = await backend.cancel(task.id, OWNER, 50);
  assertEquals([end.status, "work" in end && end.work], ["CANCELLED", "stop_requested"]);
  gate.resolve();
  await worker[Symbol.asyncDispose]();
  assertEquals(await backend.get(task.id, OWNER), end);
});

test("a plain worker's failed run of a cancelled task is its last", async (place) => {
  const { backend, connection, prefix } = place;
  const [started, gate, over] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  let runs = 0;
  const worker = new Worker("images", async () => {
    runs++;
    started?.resolve();
    await gate?.promise;
    throw new Error("It does not work.");
  }, { connection, prefix });
  worker.on("failed", (_, error) => error.message === "The task was cancelled." && over?.resolve());
  const task = await create(place, {}, { attempts: 3, delay: 1, maxDelay: 1 });
  await started?.promise;
  const end = await backend.cancel(task.id, OWNER, 50);
  gate?.resolve();
  await over?.promise;
  assertEquals(runs, 1);
  assertEquals(await backend.get(task.id, OWNER), end);
  await worker.close();
});

test("a plain worker does not run a cancelled task whose job has not been removed yet", async (place) => {
  const { connection: { url }, prefix } = place;
  const store = await RedisStore.open(url, ignored, prefix);
  const open = store.queue.bind(store);
  const over = Promise.withResolvers<string>();
  const { id } = await create(place, {});
  let runs = 0;
  const worker = new Worker("images", () => Promise.resolve(runs++), { connection: { url }, prefix, autorun: false });
  worker.on("failed", (_, { message }) => over.resolve(message)).on("completed", () => over.resolve("It ran."));
  store.queue = async (name) => {
    void worker.run();
    await over.promise;
    return await open(name);
  };
  assertEquals(await store.records.cancel(id, "ask"), "cancelled");
  assertEquals([runs, await over.promise], [0, "The task was cancelled."]);
  assertEquals((await place.backend.get(id, OWNER)).status, "CANCELLED");
  await worker.close();
  await store.close();
});

test("a task is cancelled although the connection breaks before its job is removed", async (place) => {
  const { connection: { url }, prefix } = place;
  const store = await RedisStore.open(url, ignored, prefix);
  const { id } = await create(place, {});
  store.queue = () => Promise.reject(new Error("Connection is closed."));
  assertEquals(await store.records.cancel(id, "ask"), "cancelled");
  await store.close();
  assertEquals((await place.backend.get(id, OWNER)).status, "CANCELLED");
});

test("a cancel is refused if a plain worker completes the task first", async (place) => {
  const { backend, feed } = place;
  const [started, gate] = [1, 2].map(() => Promise.withResolvers<void>());
  await using _worker = startWorker(place, async () => {
    started?.resolve();
    await gate?.promise;
    return "in time";
  });
  const task = await create(place, {});
  await started?.promise;
  const stop = feed.watch(task, (now) => "stopRequested" in now && gate?.resolve());
  await assertRejects(() => backend.cancel(task.id, OWNER, 10_000), TaskFinished, "COMPLETED");
  stop();
});

test("a job that still runs when its cancelled task expires is deleted after its end", async (place) => {
  const { connection: { url }, prefix } = place;
  const [started, gate] = [1, 2].map(() => Promise.withResolvers<void>());
  const worker = startWorker(place, async () => {
    started?.resolve();
    await gate?.promise;
  });
  const { id } = await create(place, {});
  await started?.promise;
  await place.backend.cancel(id, OWNER, 0);
  const store = await RedisStore.open(url, ignored, prefix);
  const expire = async () => {
    const snapshot = await store.records.read(id);
    return snapshot && await store.records.expire(snapshot);
  };
  const job = async () => (await store.queue("images")).getJob(id);
  assertEquals([await expire(), (await job())?.id], [false, id]);
  await assertRejects(() => place.backend.get(id, OWNER), TaskExpired);
  gate?.resolve();
  await worker[Symbol.asyncDispose]();
  assertEquals([await expire(), await job()], [true, undefined]);
  await assertRejects(() => place.backend.get(id, OWNER), TaskExpired);
  await store.close();
});

test("a large result of another producer's job stays in the job, where that producer reads it", async (place) => {
  const { backend, connection, prefix } = place;
  const queue = new Queue("images", { connection, prefix });
  const events = new QueueEvents("images", { connection, prefix });
  await events.waitUntilReady();
  const large = "x".repeat(100_000);
  const images = defineJob({
    name: "images",
    input: { type: "object" },
    run: (_, { job, owner }) => {
      assertEquals({ job, owner }, { job: "images", owner: "" }); // No principal of ours has queued it.
      return large;
    },
  });
  await using _worker = createWorker(backend, [images]);
  const job = await queue.add("images", {});
  assertEquals(await job.waitUntilFinished(events) === large, true);
  await events.close();
  await queue.close();
});

test("a task whose job is removed from the queue ends with a fault that says so", async (place) => {
  const { backend, connection, prefix } = place;
  const task = await create(place, {});
  const queue = new Queue("images", { connection, prefix });
  await queue.remove(task.id);
  await queue.close();
  const end = (await follow(place, task)).at(-1);
  assertEquals(end && isFinished(end) && end.status, "FAILED");
  const outcome = await backend.outcome(task.id, OWNER);
  assertEquals(outcome.kind, "fault");
  assertEquals(await backend.get(task.id, OWNER), end);
});

test("the jobs and the settings of the queue's owner stay as they are", async (place) => {
  const { connection, prefix } = place;
  const queue = new Queue("images", { connection, prefix, streams: { events: { maxLen: 77 } } });
  const own = await queue.add("their own", { mine: true });
  const before = await queue.getBackend().getQueueMeta();
  const done: unknown[] = [];
  await using _worker = startWorker(place, (job) => Promise.resolve(void done.push(job.name)));
  await follow(place, await create(place, {}));
  assertEquals(done, ["their own", "resize-image"]);
  assertEquals(await queue.getBackend().getQueueMeta(), before);
  assertEquals((await queue.getJob(own.id ?? ""))?.data, { mine: true });
  await queue.close();
});

test("our events do not displace events that the queue's owner wants to keep", async (place) => {
  const { backend, connection: { url }, prefix } = place;
  const queue = new Queue("images", { connection: { url }, prefix, streams: { events: { maxLen: 20_000 } } });
  const client = new Redis(url);
  // BullMQ writes the queue's settings when it likes.
  await until(async () => await client.hlen(`${prefix}:images:meta`) > 0, "the owner's settings stand");
  const { id } = await create(place, {});
  const script = `for i = 1, 15000 do redis.call("XADD", KEYS[1], "*", "event", "theirs") end`;
  await client.eval(script, 1, `${prefix}:images:events`);
  await backend.cancel(id, OWNER, 0);
  assertEquals(await client.xlen(`${prefix}:images:events`) > 15_000, true);
  await client.quit();
  await queue.close();
});

test("a concurrency limit of the queue's owner applies to our workers, too", async (place) => {
  const { backend, connection, prefix } = place;
  const queue = new Queue("images", { connection, prefix });
  await queue.setGlobalConcurrency(1);
  let [running, most] = [0, 0];
  const images = defineJob({
    name: "images",
    input: { type: "object" },
    run: async () => {
      most = Math.max(most, ++running);
      // As many round trips as a worker without a limit would need to take the other tasks.
      for (let trip = 0; trip < 50; trip++) await queue.getActiveCount();
      running--;
    },
  });
  const retry = { attempts: 1, delay: 10, maxDelay: 10 };
  const task = { job: "images", owner: OWNER, input: {}, resultTtl: 60_000, retry };
  const tasks = await Promise.all([1, 2, 3].map(() => backend.create({ id: newTaskId(), ...task })));
  await using _worker = createWorker(backend, [images], { concurrency: 8 });
  for (const task of tasks) assertEquals((await follow(place, task)).at(-1)?.status, "COMPLETED");
  assertEquals(most, 1);
  await queue.close();
});
