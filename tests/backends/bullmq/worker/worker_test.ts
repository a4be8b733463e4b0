import { BullMqBackend } from "../../../../mod.ts";
import { RedisStore } from "../../../../src/backends/bullmq/redis/store.ts";
import { QueueWork } from "../../../../src/backends/bullmq/worker/mod.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { testUnless } from "../../../support/test_unless.ts";

const OWNER = "ann";

interface Place {
  readonly backend: BullMqBackend;
  /** The store of the worker under test, of which a test may take what it likes. */
  readonly store: RedisStore;
  create(id: string, job: string): Promise<unknown>;
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noRedis, `bullmq: ${name}`, async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    const store = await RedisStore.open(redis.url, prefix);
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    const create = (id: string, job: string) =>
      backend.create({ id, job, owner: OWNER, input: {}, resultTtl: 60_000, retry });
    await run({ backend, store, create });
    await store.close();
  });
}

/** Keeps the signals of a store from its worker. Resolves `wished` when somebody wants a task to stop; `hear` is the worker's ear. */
function deafen(store: RedisStore) {
  const listen = store.listen.bind(store);
  const wished = Promise.withResolvers<void>();
  const stop = listen((signal) => {
    if (signal.kind === "stop") wished.resolve();
  });
  const ears: Parameters<typeof listen>[0][] = [];
  store.listen = (listener) => {
    ears.push(listener);
    return () => {};
  };
  const hear: Parameters<typeof listen>[0] = (signal) => ears.forEach((ear) => ear(signal));
  return { wished: wished.promise, hear, [Symbol.dispose]: () => void stop() };
}

test("a run that is over asks a store that fails nothing any more", async ({ backend, store, create }) => {
  using feed = new TaskFeed(backend);
  const failed = Promise.withResolvers<void>();
  let calls = 0;
  store.records.answerTo = () => {
    if (++calls === 2) failed.resolve();
    return Promise.reject(new Error("The store is away."));
  };
  const work = new QueueWork(store, {
    jobs: ["asks"],
    concurrency: 1,
    lease: 5_000,
    run: async ({ ask }) => {
      ask({ key: "question-1", message: "Which?", schema: {} }).catch(() => {});
      await failed.promise;
      return { kind: "value", value: "done without an answer" };
    },
  });
  const [id, owner] = [newTaskId(), OWNER];
  await create(id, "asks");
  const answer = ({ status }: { readonly status: string }) => {
    if (status === "INPUT_REQUIRED") void backend.answer(id, owner, { "question-1": { action: "decline" } });
  };
  const end = await feed.wait(id, owner, AbortSignal.timeout(30_000), answer);
  await work.stop(0);
  assertEquals([end.status, calls], ["COMPLETED", 2]);
});

test("a wish to cancel that the worker has not heard of is found in the record, if need be by another look", async ({ backend, store, create }) => {
  using worker = deafen(store);
  const stops = store.records.stops.bind(store.records);
  let looks = 0;
  store.records.stops = async (ids) => {
    await worker.wished;
    if (++looks === 1) throw new Error("busy");
    return await stops(ids);
  };
  const began = Promise.withResolvers<void>();
  const work = new QueueWork(store, {
    jobs: ["waits"],
    concurrency: 1,
    lease: 5_000,
    run: async ({ signal }) => {
      began.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return { kind: "value", value: null };
    },
  });
  const [id, owner] = [newTaskId(), OWNER];
  await create(id, "waits");
  await began.promise;
  const end = await backend.cancel(id, owner, 30_000);
  await work.stop(0);
  assertEquals([end.status, end.status === "CANCELLED" && end.work], ["CANCELLED", "stopped"]);
});

test("a task that is to stop before BullMQ's answer has come does not begin", async ({ backend, store, create }) => {
  using feed = new TaskFeed(backend);
  using worker = deafen(store);
  let runs = 0;
  const run = () => Promise.resolve({ kind: "value", value: ++runs } as const);
  const work = new QueueWork(store, { jobs: ["quick"], concurrency: 1, lease: 5_000, run });
  const [id, owner] = [newTaskId(), OWNER];
  worker.hear({ kind: "stop", id });
  await create(id, "quick");
  const end = await feed.wait(id, owner, AbortSignal.timeout(30_000));
  await work.stop(0);
  assertEquals([end.status, end.status === "CANCELLED" && end.work, runs], ["CANCELLED", "stopped", 0]);
});

test("a cancel that came while the worker was cut off is found after it, if need be by another look", async ({ backend, store, create }) => {
  using worker = deafen(store);
  const stops = store.records.stops.bind(store.records);
  const looked = Promise.withResolvers<void>();
  let looks = 0;
  store.records.stops = async (ids) => {
    if (++looks === 2) throw new Error("not connected yet");
    return await stops(ids).finally(looked.resolve);
  };
  const work = new QueueWork(store, {
    jobs: ["waits"],
    concurrency: 1,
    lease: 5_000,
    run: async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return { kind: "value", value: null };
    },
  });
  const [id, owner] = [newTaskId(), OWNER];
  await create(id, "waits");
  await looked.promise;
  const ended = backend.cancel(id, owner, 30_000);
  await worker.wished;
  worker.hear({ kind: "gap" });
  const end = await ended;
  await work.stop(0);
  assertEquals([end.status, end.status === "CANCELLED" && end.work], ["CANCELLED", "stopped"]);
});
