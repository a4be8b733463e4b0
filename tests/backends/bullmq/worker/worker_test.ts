import type { EventEmitter } from "node:events";
import type { Worker } from "bullmq";
import { type Meter, metrics } from "@opentelemetry/api";
import type { WorkOptions } from "../../../../backend.ts";
import { BullMqBackend, type OnError } from "../../../../mod.ts";
import type { Signal } from "../../../../src/backends/bullmq/redis/events/signals.ts";
import { RedisStore } from "../../../../src/backends/bullmq/redis/store.ts";
import { BullMqWork } from "../../../../src/backends/bullmq/worker/mod.ts";
import { EVENTS } from "../../../../src/telemetry/events.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { isFinished } from "../../../../src/task.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { ignored } from "../../../support/errors.ts";
import { doneWithin, pause } from "../../../../src/waiting.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { newTask } from "../../../support/tasks.ts";
import { onOpenedWorker } from "../../support/opened_workers.ts";

const OWNER = "ann";
const ROOT = new URL("../../../../", import.meta.url);

interface Place {
  readonly backend: BullMqBackend;
  /** The store of the worker under test, whose methods a test may replace. */
  readonly store: RedisStore;
  create(id: string, job: string): Promise<unknown>;
  /** How another process connects to it. */
  readonly place: { readonly redis: string; readonly prefix: string };
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `bullmq: ${name}`, async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    const store = await RedisStore.open(redis.url, ignored, prefix);
    const create = (id: string, job: string) => backend.create(newTask({ id, job, owner: OWNER }));
    await run({ backend, store, create, place: { redis: redis.url, prefix } });
    await store.close();
  });
}

/** A worker of one job. */
function workOn(store: RedisStore, job: string, run: WorkOptions["run"], onError: OnError = ignored): BullMqWork {
  return new BullMqWork(store, { jobs: [job], concurrency: 1, onError, lease: 5_000, run });
}

/** Holds back the signals to the workers of a store. The function that it returns sends them one. */
function holdSignals(store: RedisStore): (signal: Signal) => void {
  const listeners: ((signal: Signal) => void)[] = [];
  store.onSignal = (listener) => {
    listeners.push(listener);
    return () => {};
  };
  return (signal) => listeners.forEach((listener) => listener(signal));
}

/** Waits until a task is to stop, as its record says: a signal is lost where a busy machine has the connection replaced. */
async function untilToStop({ backend }: Pick<Place, "backend">, id: string): Promise<void> {
  await until(async () => {
    const task = await backend.get(id, OWNER);
    return isFinished(task) || "stopRequested" in task;
  }, "the task is to stop");
}

/** The connection on which the first worker of BullMQ that a store starts waits for jobs. */
function waitingConnectionOf(store: RedisStore): Promise<EventEmitter> {
  const connection = Promise.withResolvers<EventEmitter>();
  onOpenedWorker(store, (worker) => {
    connection.resolve(Reflect.get(worker.getBackend() as object, "blockingClient"));
  });
  return connection.promise;
}

/** BullMQ's reply to a claim. */
type Claim = ReturnType<ReturnType<Worker["getBackend"]>["moveToActive"]>;

/** Has `around` make each claim of a worker. */
function aroundClaims(store: RedisStore, around: (claim: () => Claim) => Claim): void {
  onOpenedWorker(store, (worker) => {
    const backend = worker.getBackend();
    const moveToActive = backend.moveToActive.bind(backend);
    backend.moveToActive = (...claim) => around(() => moveToActive(...claim));
  });
}

test("a worker that stops while it looks for jobs of dead workers reports no error", async ({ store }) => {
  const looks = Promise.withResolvers<void>();
  onOpenedWorker(store, (worker) => {
    // As a command that is under way when its connection is closed.
    worker.getBackend().moveStalledJobsToWait = () => {
      looks.resolve();
      return new Promise((_, reject) => worker.once("closing", () => reject(new Error("Connection is closed."))));
    };
  });
  const reported: unknown[] = [];
  const run = () => Promise.resolve({ kind: "value", value: null } as const);
  const work = workOn(store, "idle", run, (error) => void reported.push(error));
  await looks.promise;
  await work.stop(60_000);
  assertEquals(reported, []);
});

test("a run that has ended no longer calls a store that fails", async ({ backend, store, create }) => {
  using feed = new TaskFeed(backend);
  const failed = Promise.withResolvers<void>();
  let calls = 0;
  store.records.readAnswer = () => {
    if (++calls === 2) failed.resolve();
    return Promise.reject(new Error("The store is away."));
  };
  const work = workOn(store, "asks", async ({ ask }) => {
    ask({ key: "question-1", message: "Which?", schema: {} }).catch(() => {});
    await failed.promise;
    return { kind: "value", value: "done without an answer" };
  });
  const [id, owner] = [newTaskId(), OWNER];
  await create(id, "asks");
  const answer = ({ status }: { readonly status: string }) => {
    if (status === "INPUT_REQUIRED") void backend.answer(id, owner, { "question-1": { action: "decline" } });
  };
  const end = await feed.wait(id, owner, AbortSignal.timeout(60_000), answer);
  await work.stop(0);
  assertEquals([end.status, calls], ["COMPLETED", 2]);
});

test("a request to stop whose signal is lost is found in the record, by a second check if the first one fails", async ({ backend, store, create }) => {
  holdSignals(store);
  const [id, owner] = [newTaskId(), OWNER];
  const toStop = store.records.toStop.bind(store.records);
  const started = Promise.withResolvers<void>();
  let checks = 0;
  store.records.toStop = async (ids) => {
    await started.promise;
    await untilToStop({ backend }, id);
    if (++checks === 1) throw new Error("busy");
    return await toStop(ids);
  };
  const work = workOn(store, "waits", async ({ signal }) => {
    started.resolve();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return { kind: "value", value: null };
  });
  await create(id, "waits");
  await started.promise;
  const end = await backend.cancel(id, owner, 30_000);
  await work.stop(0);
  assertEquals([end.status, end.status === "CANCELLED" && end.work], ["CANCELLED", "stopped"]);
});

test("a task whose request to stop arrives before its job does not start", async ({ backend, store, create }) => {
  using feed = new TaskFeed(backend);
  const send = holdSignals(store);
  let runs = 0;
  const run = () => Promise.resolve({ kind: "value", value: ++runs } as const);
  const work = workOn(store, "quick", run);
  const [id, owner] = [newTaskId(), OWNER];
  send({ kind: "stop", id });
  await create(id, "quick");
  const end = await feed.wait(id, owner, AbortSignal.timeout(60_000));
  await work.stop(0);
  assertEquals([end.status, end.status === "CANCELLED" && end.work, runs], ["CANCELLED", "stopped", 0]);
});

test("a request to stop that was made while the worker was disconnected is found afterwards, by a second check if the first one fails", async ({ backend, store, create }) => {
  const send = holdSignals(store);
  const toStop = store.records.toStop.bind(store.records);
  const [started, checked] = [1, 2].map(() => Promise.withResolvers<void>());
  let checks = 0;
  store.records.toStop = async (ids) => {
    if (ids.length === 0) return []; // On a busy machine the job has not started by the first check.
    if (++checks === 2) throw new Error("not connected yet");
    return await toStop(ids).finally(checked?.resolve);
  };
  const work = workOn(store, "waits", async ({ signal }) => {
    started?.resolve();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return { kind: "value", value: null };
  });
  const [id, owner] = [newTaskId(), OWNER];
  await create(id, "waits");
  await Promise.all([started?.promise, checked?.promise]);
  const ended = backend.cancel(id, owner, 30_000);
  await untilToStop({ backend }, id);
  send({ kind: "gap" });
  const end = await ended;
  await work.stop(0);
  assertEquals([end.status, end.status === "CANCELLED" && end.work], ["CANCELLED", "stopped"]);
});

test("a job that arrives when a stopping worker no longer waits for code does not start, and does not count as started or handed back", async ({ backend, store, create }) => {
  const [started, fetched, released] = [1, 2, 3].map(() => Promise.withResolvers<void>());
  const measured: string[] = [];
  const createHistogram = (name: string) => ({ record: () => measured.push(name) });
  const meter = { createCounter: () => ({ add() {} }), createHistogram };
  metrics.setGlobalMeterProvider({ getMeter: () => meter as unknown as Meter });
  let jobs = 0;
  aroundClaims(store, async (claim) => {
    const reply = await claim();
    if (!reply[0] || ++jobs < 2) return reply;
    fetched?.resolve();
    await released?.promise;
    return reply;
  });
  const markHandedBack = store.records.markHandedBack.bind(store.records);
  store.records.markHandedBack = (hold) => {
    released?.resolve();
    return markHandedBack(hold);
  };
  let runs = 0;
  const run = () => {
    runs++;
    started?.resolve();
    return new Promise<never>(() => {});
  };
  const work = new BullMqWork(store, { jobs: ["endless"], concurrency: 2, onError: ignored, lease: 5_000, run });
  const ids = [newTaskId(), newTaskId()];
  await create(ids[0] ?? "", "endless");
  await started?.promise;
  await create(ids[1] ?? "", "endless");
  await fetched?.promise;
  assert(await doneWithin(work.stop(0), 120_000), "the worker has stopped");
  metrics.disable();
  const tasks = await Promise.all(ids.map((id) => backend.get(id, OWNER)));
  assertEquals([runs, ...tasks.map(({ status }) => status)], [1, "PENDING", "PENDING"]);
  const records = await Promise.all(ids.map((id) => store.records.read(id)));
  assertEquals(records.map((record) => record?.handBacks), [1, 0]);
  assertEquals(measured.filter((name) => name === EVENTS.timeToStart.name).length, 1);
});

test("a worker that stops waits for its running task also if its waiting connection fails as it is closed", async ({ backend, store, create }) => {
  const running = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const waiting = waitingConnectionOf(store);
  const work = workOn(store, "runs", async () => {
    running.resolve();
    await over.promise;
    return { kind: "value", value: "done" };
  });
  const id = newTaskId();
  await create(id, "runs");
  await running.promise;
  const connection = await waiting;
  const failed = new Promise<void>((resolve) =>
    connection.once("close", () => {
      connection.emit("error", new Error("read ECONNRESET"));
      resolve();
    })
  );
  const stopped = work.stop(60_000);
  await failed;
  for (let request = 0; request < 3; request++) await backend.check(); // Time to stop too early.
  over.resolve();
  await stopped;
  assertEquals((await backend.get(id, OWNER)).status, "COMPLETED");
});

/** Has `around` make each report of a worker that it is alive, which returns the time. */
function aroundReports({ scripts }: RedisStore, around: (report: () => Promise<number>) => Promise<number>): void {
  const run = scripts.run.bind(scripts);
  scripts.run = async <T>(...command: Parameters<typeof run>) =>
    await (command[0] === "present" ? around(() => run(...command)) : run(...command)) as T;
}

test("the time that a worker tells its jobs is never behind Redis's, however late the answer comes, so that no sleep is too short", async ({ store, create }) => {
  aroundReports(store, async (report) => {
    const now = await report();
    await pause(100);
    return now;
  });
  const ahead = Promise.withResolvers<number>();
  const worker = workOn(store, "job", ({ now }) => {
    const realTime = Date.now(); // Redis runs on the same machine.
    ahead.resolve(now() - realTime);
    return Promise.resolve({ kind: "value", value: null });
  });
  await create(newTaskId(), "job");
  assert(await ahead.promise >= 0, `It is ahead by ${await ahead.promise} ms.`);
  await worker.stop(0);
});

test("the time that a worker tells its jobs does not go ahead by as long as a later request for Redis's time takes", async ({ store, create }) => {
  const [sampled, slow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let reports = 0;
  aroundReports(store, async (report) => {
    const isFirst = reports++ === 0;
    if (!isFirst) {
      await sampled.promise;
      await pause(200); // Sent, but not yet read by Redis.
    }
    const now = await report();
    if (!isFirst) setTimeout(slow.resolve);
    return now;
  });
  const ahead = Promise.withResolvers<readonly number[]>();
  const run: WorkOptions["run"] = async ({ now }) => {
    const measure = () => now() - Date.now(); // Redis runs on the same machine.
    const before = measure();
    sampled.resolve();
    await slow.promise;
    ahead.resolve([before, measure()]);
    return { kind: "value", value: null };
  };
  const worker = new BullMqWork(store, { jobs: ["job"], concurrency: 1, onError: ignored, lease: 1_000, run });
  await create(newTaskId(), "job");
  const [before = NaN, after = NaN] = await ahead.promise;
  assert(after < before + 100, `It was ahead by ${before} ms, and is by ${after} ms.`);
  await worker.stop(0);
});

test("a worker that has stood still for longer than a lease since its claim does not run a job that another has run", async ({ store, backend, create, place }) => {
  const other = `
    import { BullMqBackend, createWorker, defineJob } from ${JSON.stringify(import.meta.resolve("../../../../mod.ts"))};
    const backend = await BullMqBackend.connect(${JSON.stringify({ ...place, lease: 300 })});
    const ran = Promise.withResolvers();
    const job = defineJob({ name: "job", input: { type: "object" }, run: () => void ran.resolve() });
    const worker = createWorker(backend, [job]);
    await ran.promise;
    await worker.close();
    await backend[Symbol.asyncDispose]();`;
  const standStill = () => {
    const { success } = new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", other], cwd: ROOT }).outputSync();
    stoodStill.resolve(success);
  };
  const stoodStill = Promise.withResolvers<boolean>();
  aroundClaims(store, async (claim) => {
    const reply = await claim();
    if (reply[0]) standStill();
    return reply;
  });
  let runs = 0;
  const run: WorkOptions["run"] = () => Promise.resolve({ kind: "value", value: ++runs });
  const worker = new BullMqWork(store, { jobs: ["job"], concurrency: 1, onError: ignored, lease: 300, run });
  const id = newTaskId();
  await create(id, "job");
  assert(await stoodStill.promise);
  await worker.stop(60_000);
  assertEquals([(await backend.get(id, OWNER)).status, runs], ["COMPLETED", 0]);
});
