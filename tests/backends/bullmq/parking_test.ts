/**
 * Parked tasks and recorded steps, as BullMQ sees them.
 *
 * @module
 */
import { createIORedisClient, Queue } from "bullmq";
import { Redis } from "ioredis";
import { BackendError, BullMqBackend, createWorker, defineJob, type Job, type TaskInfo } from "../../../mod.ts";
import type { NewTask } from "../../../backend.ts";
import { RedisParking } from "../../../src/backends/bullmq/redis/parking.ts";
import { RedisRecords } from "../../../src/backends/bullmq/redis/records.ts";
import { carriedBy } from "../../../src/backends/bullmq/redis/scripts/resuming/resumed.ts";
import { RedisScripts } from "../../../src/backends/bullmq/redis/scripts/run.ts";
import { RedisStore } from "../../../src/backends/bullmq/redis/store.ts";
import { Deadline } from "../../../src/backends/shared/deadline.ts";
import { MAX_STEPS } from "../../../src/steps/recorded_steps.ts";
import { MAX_STEP_BYTES } from "../../../src/steps/steps.ts";
import { openQuestions } from "../../../src/task.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { unlessAborted } from "../../../src/waiting.ts";
import { noRedis, openRedis } from "../../../tools/redis_server.ts";
import { assertEquals, assertMatch, assertRejects } from "../../../tools/std.ts";
import { ignored } from "../../support/errors.ts";
import { Network } from "../support/network.ts";
import { queueAgain } from "../support/queue_again.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";
import { newTask } from "../../support/tasks.ts";

const OWNER = "owner";
const HOUR = 3_600_000;
const QUESTION = { message: "Sure?", schema: { type: "object", properties: {} } } as const;
const GONE = "The queue no longer has the job of this task: it was removed, or Redis has lost it.";

interface Place {
  readonly url: string;
  readonly backend: BullMqBackend;
  readonly feed: TaskFeed;
  readonly admin: Redis;
  readonly prefix: string;
  readonly queue: (name: string) => Queue;
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `bullmq: ${name}`, async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    using feed = new TaskFeed(backend);
    const admin = new Redis(redis.url, { maxRetriesPerRequest: null });
    const queues: Queue[] = [];
    const queue = (name: string) => {
      const opened = new Queue(name, { connection: admin, prefix });
      queues.push(opened);
      return opened;
    };
    try {
      await run({ url: redis.url, backend, feed, admin, prefix, queue });
    } finally {
      for (const opened of queues) await opened.close();
      await admin.quit();
    }
  });
}

const job = (name: string, run: Job["run"]) => defineJob({ name, input: { type: "object" }, parkAfter: 0, run });

async function create({ backend }: Place, job: string, more: Partial<NewTask> = {}): Promise<TaskInfo> {
  return await backend.create(newTask({ job, owner: OWNER, resultTtl: HOUR, ...more }));
}

/** Resolves once it is parked. */
async function parked({ feed }: Place, { id }: TaskInfo): Promise<TaskInfo> {
  const { promise, resolve, reject } = Promise.withResolvers<TaskInfo>();
  const done = new AbortController();
  feed.wait(id, OWNER, done.signal, (task) => "parked" in task && resolve(task))
    .then(({ status }) => reject(new Error(`It has ended as ${status}.`)), reject);
  const found = await promise;
  done.abort();
  return found;
}

async function answer({ backend }: Place, task: TaskInfo): Promise<void> {
  const answers = Object.fromEntries(openQuestions(task).map(({ key }) => [key, { action: "decline" }] as const));
  await backend.answer(task.id, OWNER, answers);
}

const ended = ({ feed }: Place, { id }: TaskInfo) => feed.wait(id, OWNER, AbortSignal.timeout(60_000));

test("a parked task is a delayed job, without lock, until its time or until the end of the year 9999", async (place) => {
  const { admin, backend, prefix, queue } = place;
  const at = Date.now() + HOUR;
  await using worker = createWorker(backend, [
    job("asks", (_, ctx) => ctx.elicit(QUESTION)),
    job("sleeps", (_, ctx) => ctx.until("later", at)),
  ]);
  await worker.ready;
  for (const [name, due] of [["asks", Date.UTC(9999, 11, 31, 23, 59, 59)], ["sleeps", at]] as const) {
    const { id } = await parked(place, await create(place, name));
    const found = await queue(name).getJob(id);
    assertEquals([await found?.getState(), found?.attemptsMade, found?.attemptsStarted], ["delayed", 0, 1]);
    assertEquals(Math.floor(Number(await admin.zscore(`${prefix}:${name}:delayed`, id)) / 0x1000), due);
    assertEquals(await admin.exists(`${prefix}:${name}:${id}:lock`), 0);
    assertEquals(await admin.lrange(`${prefix}:${name}:active`, 0, -1), []);
    // It waits for a date, whatever its delay was when it was stored.
    await admin.hset(`${prefix}:${name}:${id}`, "delay", 10);
    const { dueAt } = await backend.get(id, OWNER) as { readonly dueAt?: number };
    assertEquals(dueAt, name === "asks" ? undefined : at);
  }
});

test("a task that sleeps, or whose question expires, after the year 9999 says when it is due", async (place) => {
  const far = Date.UTC(12_000, 0, 1);
  await using worker = createWorker(place.backend, [
    job("sleeps", (_, ctx) => ctx.until("far away", far)),
    job("expires", (_, ctx) => ctx.elicit({ ...QUESTION, expiresIn: far - Date.now() })),
  ]);
  await worker.ready;
  const sleeps = await parked(place, await create(place, "sleeps"));
  const expires = await parked(place, await create(place, "expires"));
  assertEquals(["dueAt" in sleeps && sleeps.dueAt, sleeps.message], [
    far,
    "Sleeping until +012000-01-01T00:00:00.000Z.",
  ]);
  assertEquals("dueAt" in expires && new Date(expires.dueAt ?? 0).getUTCFullYear(), 12_000);
});

for (const priority of [0, 5]) {
  const which = priority === 0 ? "without a priority" : `of priority ${priority}`;
  test(`tasks ${which} that were answered, or whose sleep is over, run before those that never ran`, async (place) => {
    const { admin, backend, prefix } = place;
    const order: unknown[] = [];
    const start = async () => {
      const mixed = job("mixed", async ({ does }, ctx) => {
        if (does === "ask") await ctx.elicit(QUESTION);
        if (does === "sleep") await ctx.sleep("an hour", HOUR);
        order.push(does);
      });
      const worker = createWorker(backend, [mixed], { concurrency: 1 });
      await worker.ready;
      return worker;
    };
    const first = await start();
    const asks = await parked(place, await create(place, "mixed", { input: { does: "ask" }, priority }));
    const sleeps = await parked(place, await create(place, "mixed", { input: { does: "sleep" }, priority }));
    await first.close();
    const fresh = await create(place, "mixed", { input: { does: "nothing" }, priority });
    await answer(place, asks);
    assertEquals((await backend.get(asks.id, OWNER)).status, "PENDING");
    // As if the hour had passed: the record of the sleep, and when its job is due.
    const past = Date.now() - 1_000;
    const steps = `${prefix}:mcp-jobs:steps:mixed:${sleeps.id}`;
    await admin.hset(steps, "0", (await admin.hget(steps, "0") ?? "").replace(/"value":\d+/, `"value":${past}`));
    await admin.zadd(`${prefix}:mixed:delayed`, "XX", past * 0x1000, sleeps.id);
    await using _second = await start();
    for (const task of [asks, sleeps, fresh]) assertEquals((await ended(place, task)).attempt, 1);
    assertEquals(order.slice(0, 2).toSorted(), ["ask", "sleep"]);
    assertEquals(order.slice(2), ["nothing"]);
  });
}

test("tasks that were parked run again in the order in which they were answered or became due, before new ones", async (place) => {
  const { admin, prefix } = place;
  const order: unknown[] = [];
  const start = async () => {
    const mixed = job("mixed", async ({ number, sleeps }, ctx) => {
      if (sleeps) await ctx.sleep("an hour", HOUR);
      else if (number < 9) await ctx.elicit(QUESTION);
      order.push(number);
    });
    const worker = createWorker(place.backend, [mixed], { concurrency: 1 });
    await worker.ready;
    return worker;
  };
  const first = await start();
  const tasks: TaskInfo[] = [];
  for (let number = 0; number < 9; number++) {
    const sleeps = number === 7 || number === 8;
    tasks.push(await parked(place, await create(place, "mixed", { input: { number, sleeps } })));
  }
  await first.close();
  tasks.push(
    await create(place, "mixed", { input: { number: 9 } }),
    await create(place, "mixed", { input: { number: 10 } }),
  );
  const answered = [3, 1, 4, 0, 5, 2, 6];
  for (const number of answered) await answer(place, tasks[number] as TaskInfo);
  // As if the hour had passed: the records of the sleeps, and when their jobs are due.
  for (const number of [8, 7]) {
    const [id, past] = [tasks[number]?.id ?? "", Date.now() - 1_000 * number];
    const steps = `${prefix}:mcp-jobs:steps:mixed:${id}`;
    await admin.hset(steps, "0", (await admin.hget(steps, "0") ?? "").replace(/"value":\d+/, `"value":${past}`));
    await admin.zadd(`${prefix}:mixed:delayed`, "XX", past * 0x1000, id);
  }
  await using _second = await start();
  for (const task of tasks) await ended(place, task);
  assertEquals(order, [...answered, 8, 7, 9, 10]);
});

test("answers that are given at once are stored with one request, and one that fails keeps no other from it", async (place) => {
  const { admin, backend, prefix } = place;
  const order: unknown[] = [];
  const asks = job("asks", async ({ number }, ctx) => {
    const { action } = await ctx.elicit(QUESTION);
    order.push([number, action]);
  });
  const first = createWorker(backend, [asks], { concurrency: 1 });
  await first.ready;
  const tasks: TaskInfo[] = [];
  for (const number of [0, 1, 2, 3]) {
    tasks.push(await parked(place, await create(place, "asks", { input: { number } })));
  }
  await first.close();
  const [one, broken, two, three] = tasks as [TaskInfo, TaskInfo, TaskInfo, TaskInfo];
  await admin.hset(`${prefix}:mcp-jobs:task:${broken.id}`, "answered", "no JSON");
  const fresh = await create(place, "asks", { input: { number: 9 } });
  const key = openQuestions(one)[0]?.key ?? "";
  const give = ({ id }: Pick<TaskInfo, "id">, action: "decline" | "cancel", owner = OWNER) =>
    backend.answer(id, owner, { [key]: { action } })
      .then(({ task, counted }): unknown => [task.status, counted], ({ name }: Error) => name);
  using calls = new Calls();
  const stored = await Promise.all([
    give(three, "decline"),
    give(broken, "decline"),
    give({ id: "unknown" }, "decline"),
    give(two, "decline", "another"),
    give(one, "decline"),
    give(one, "cancel"),
    give(two, "cancel"),
  ]);
  assertEquals(calls.names.filter((name) => name === "answer").length, 1);
  const queued = ["PENDING", [key]];
  assertEquals(stored, [queued, "BackendError", "TaskNotFound", "TaskNotFound", queued, ["PENDING", []], queued]);
  await using _second = createWorker(backend, [asks], { concurrency: 1 });
  for (const task of [one, two, three]) await ended(place, task);
  assertEquals(order, [[3, "decline"], [0, "decline"], [2, "cancel"]]);
  await parked(place, fresh);
});

test("an answer that is stored is not told as failed because its task cannot be read", async (place) => {
  const { admin, backend, prefix } = place;
  const { promise: answered, resolve } = Promise.withResolvers<string>();
  const asks = job("asks", async (_, ctx) => resolve((await ctx.elicit(QUESTION)).action));
  await using worker = createWorker(backend, [asks]);
  await worker.ready;
  const task = await parked(place, await create(place, "asks"));
  // Whoever reads a job of another worker that has failed before keeps it in this list.
  await admin.hset(`${prefix}:asks:${task.id}`, "pb", "another", "failedReason", "no");
  await admin.set(`${prefix}:mcp-jobs:list:retrying:asks`, "no list");
  const giving = backend.answer(task.id, OWNER, { [openQuestions(task)[0]?.key ?? ""]: { action: "decline" } });
  await assertRejects(
    () => giving,
    BackendError,
    `Cannot read task ${task.id} (its answers are stored): Redis failed: `,
  );
  assertEquals(await answered, "decline");
});

test("steps are deleted when their task ends, whatever its end is", async (place) => {
  const { admin, backend, prefix } = place;
  await using worker = createWorker(backend, [job("work", async ({ end }, ctx) => {
    await ctx.step("one", () => 1);
    if (end === "fail") throw new Error("no");
    if (end === "ask") await ctx.elicit(QUESTION);
  })]);
  await worker.ready;
  const steps = () => admin.keys(`${prefix}:mcp-jobs:steps:*`);
  for (const end of ["complete", "fail", "ask"]) {
    const task = await create(place, "work", { input: { end } });
    if (end === "ask") {
      await parked(place, task);
      assertEquals((await steps()).length, 1);
      await backend.cancel(task.id, OWNER, 0);
    }
    await ended(place, task);
    await until(async () => (await steps()).length === 0, "its steps are deleted");
  }
});

test("large steps are read in pieces, so that each comes in time over a slow line", async ({ admin, prefix }) => {
  const scripts = new RedisScripts(createIORedisClient(admin), prefix, new Deadline("late", 60_000));
  const replies: number[] = [];
  const run = async (...args: Parameters<RedisScripts["run"]>) => {
    const reply = await scripts.run<unknown>(...args);
    replies.push(JSON.stringify(reply).length);
    return reply;
  };
  const parking = new RedisParking(Object.assign(Object.create(scripts), { run }));
  const text = "x".repeat(MAX_STEP_BYTES);
  const indexes = [0, 1, 2, 3, 4, 5, 6, 7, 9, 150, MAX_STEPS - 1];
  await admin.hset(`${prefix}:mcp-jobs:steps:work:1`, Object.fromEntries(indexes.map((index) => [index, text])));
  assertEquals(await parking.steps("work", "1"), indexes.map((index) => ({ index, text })));
  assertEquals(replies.map((length) => Math.round(length / MAX_STEP_BYTES)), [4, 4, 3]);
  assertEquals(await parking.steps("work", "2"), []);
});

test("all steps of a later run are read from a Redis far away, though that takes longer than one answer may", async (place) => {
  const { url, prefix, feed } = place;
  const text = "x".repeat(MAX_STEP_BYTES - 2);
  const names = Array.from({ length: 16 }, (_, index) => `step ${index}`); // Four answers have them all.
  await using network = new Network(url, 200);
  await using far = await BullMqBackend.connect({ redis: network.url, prefix, lease: 60_000, onError: ignored });
  await using worker = createWorker(far, [job("work", async (_, ctx) => {
    const made = await Promise.all(names.map((name) => ctx.step(name, () => text)));
    if (ctx.attempt === 1) throw new Error("not today");
    return made.filter((one) => one === text).length;
  })], { onError: ignored });
  await worker.ready;
  const { id } = await create(place, "work", { retry: { attempts: 2, delay: 10, maxDelay: 10 }, timeout: 30_000 });
  assertEquals((await feed.wait(id, OWNER, AbortSignal.timeout(60_000))).status, "COMPLETED");
});

test("a job from another producer can record steps and sleep, and its end deletes its steps", async (place) => {
  const { admin, backend, prefix, queue } = place;
  const ran: string[] = [];
  await using worker = createWorker(backend, [job("work", async (_, ctx) => {
    await ctx.step("one", () => ran.push("one"));
    await ctx.sleep("a moment", 200);
    ran.push("end");
    return "done";
  })]);
  await worker.ready;
  const added = await queue("work").add("any", {});
  const state = () => queue("work").getJob(added.id ?? "").then((found) => found?.getState());
  await until(async () => await state() === "completed", "the job has ended");
  assertEquals(ran, ["one", "end"]);
  await until(async () => (await admin.keys(`${prefix}:mcp-jobs:steps:*`)).length === 0, "its steps are deleted");
});

test("a job from another producer that asks fails, because nobody can be shown its questions", async (place) => {
  await using worker = createWorker(place.backend, [job("asks", (_, ctx) => ctx.elicit(QUESTION))]);
  await worker.ready;
  const added = await place.queue("asks").add("any", {});
  const reason = () => place.queue("asks").getJob(added.id ?? "").then((found) => found?.failedReason);
  await until(async () => await reason() !== undefined, "the job has failed");
  assertMatch(await reason() ?? "", /^Cannot ask: another program has queued this job/);
});

test("waiting calls notice that drain, clean or obliterate has deleted the job of a parked task", async (place) => {
  const { backend, queue } = place;
  const deeds: { readonly [name: string]: (queue: Queue) => Promise<unknown> } = {
    drain: (queue) => queue.drain(true),
    clean: (queue) => queue.clean(0, 100, "delayed"),
    obliterate: (queue) => queue.obliterate({ force: true }),
  };
  const names = Object.keys(deeds);
  await using worker = createWorker(backend, names.map((name) => job(name, (_, ctx) => ctx.elicit(QUESTION))));
  await worker.ready;
  await Promise.all(
    Object.entries(deeds).map(async ([name, act]) => {
      const task = await parked(place, await create(place, name));
      const end = ended(place, task);
      await act(queue(name));
      const { status, message } = await end;
      assertEquals([status, message], ["FAILED", GONE]);
    }),
  );
});

test("a run after an answer requests nothing but what is too large to come with its claim", async (place) => {
  const runs: unknown[] = [];
  const jobs = [
    job("asks", (_, ctx) => ctx.elicit(QUESTION)),
    job("steps", async ({ bytes }, ctx) => {
      const steps = [];
      for (const name of ["a", "b", "c"]) steps.push(await ctx.step(name, () => runs.push(name) && "x".repeat(bytes)));
      return [steps.join("").length, await ctx.elicit(QUESTION)];
    }),
  ];
  const all = ["ask", "readAnswer", "steps", "record"];
  for (
    const { name, bytes, expected } of [
      { name: "asks", bytes: 0, expected: [] },
      { name: "steps", bytes: 10, expected: [] },
      { name: "steps", bytes: 10_000, expected: ["steps"] },
    ]
  ) {
    await using worker = createWorker(place.backend, jobs);
    await worker.ready;
    const task = await parked(place, await create(place, name, { input: { bytes } }));
    using calls = new Calls();
    await answer(place, task);
    assertEquals((await ended(place, task)).status, "COMPLETED");
    assertEquals(calls.names.filter((name) => all.includes(name)), expected);
    if (bytes === 0) continue;
    const outcome = await place.backend.outcome(task.id, OWNER);
    assertEquals(outcome.kind === "value" && outcome.value, [3 * bytes, { action: "decline" }]);
    assertEquals(runs.splice(0), ["a", "b", "c"]);
  }
});

test("what comes with the claim of a run is what a request would read", async (place) => {
  const { url, prefix, backend } = place;
  const twice = job("twice", async (_, ctx) => {
    await ctx.step("one", () => "ü\u0000");
    await ctx.elicit.all([QUESTION, { ...QUESTION, message: "Really?" }]);
  });
  const first = createWorker(backend, [twice]);
  await first.ready;
  const task = await parked(place, await create(place, "twice"));
  await first.close();
  await answer(place, task);
  const store = await RedisStore.open(url, ignored, prefix);
  const workers = store.workers();
  try {
    const taken = await workers.open("twice", {}).worker.getNextJob("token", {
      block: false,
    });
    if (taken === undefined) throw new Error("The queue gave out no job.");
    const carried = carriedBy(taken);
    assertEquals(carriedBy(taken), undefined); // It is taken out of the job.
    assertEquals([Object.keys(carried?.answers ?? {}).length, carried?.stops], [2, false]);
    for (const [key, answer] of Object.entries(carried?.answers ?? {})) {
      assertEquals(answer, await store.records.readAnswer(task.id, key));
    }
    assertEquals(carried?.recorded, { steps: await store.parking.steps("twice", task.id) });
    assertEquals(carried?.recorded.steps.length, 1);
  } finally {
    await workers.close();
    await store.close();
  }
});

test("the code of a task that is to stop does not start again where its claim could not bring that", async (place) => {
  const { url, prefix, backend, admin, queue } = place;
  const task = await create(place, "again");
  const store = await RedisStore.open(url, ignored, prefix);
  const workers = store.workers();
  try {
    await workers.open("again", {}).worker.getNextJob("token", { block: false });
    assertEquals(await store.records.cancel(task.id, "ask"), "asked");
  } finally {
    await workers.close();
    await store.close();
  }
  await admin.set(`${prefix}:mcp-jobs:steps:again:${task.id}`, "no steps"); // The script of the claim fails at it.
  await queueAgain(admin, `${prefix}:again`, task.id);
  let starts = 0;
  await using _worker = createWorker(backend, [
    job("again", (_, { signal }) => ++starts && unlessAborted(new Promise(() => {}), signal)),
  ]);
  const state = () => queue("again").getJob(task.id).then((found) => found?.getState());
  await until(async () => await state() === "failed", "the worker has had the job");
  assertEquals([(await ended(place, task)).status, starts], ["CANCELLED", 0]);
});

/** Which scripts are called, and which answers are read one by one, until it is disposed. */
class Calls implements Disposable {
  readonly names: string[] = [];
  readonly #send = RedisScripts.prototype.send;
  readonly #readAnswer = RedisRecords.prototype.readAnswer;

  constructor() {
    const { names } = this;
    const [send, readAnswer] = [this.#send, this.#readAnswer];
    RedisScripts.prototype.send = function (name, ...args) {
      names.push(name);
      return send.call(this, name, ...args) as ReturnType<typeof send<never>>;
    };
    RedisRecords.prototype.readAnswer = function (id, key) {
      names.push("readAnswer");
      return readAnswer.call(this, id, key);
    };
  }

  [Symbol.dispose](): void {
    RedisScripts.prototype.send = this.#send;
    RedisRecords.prototype.readAnswer = this.#readAnswer;
  }
}
