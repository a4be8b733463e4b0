import { BullMqBackend } from "../../mod.ts";
import { RedisStore } from "../../src/backends/bullmq/redis_store.ts";
import { QueueWork } from "../../src/backends/bullmq/worker.ts";
import { TaskFeed } from "../../src/feed.ts";
import { newTaskId } from "../../src/ids.ts";
import { noRedis, openRedis } from "../../tools/redis_server.ts";
import { assertEquals } from "../../tools/std.ts";

Deno.test({
  name: `bullmq: a run that is over asks a store that fails nothing any more${
    noRedis === undefined ? "" : ` (left out: ${noRedis})`
  }`,
  ignore: noRedis !== undefined,
  fn: async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    using feed = new TaskFeed(backend);
    const store = await RedisStore.open(redis.url, prefix);
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
    const [id, owner] = [newTaskId(), "ann"];
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    await backend.create({ id, job: "asks", owner, input: {}, resultTtl: 60_000, retry });
    const answer = ({ status }: { readonly status: string }) => {
      if (status === "INPUT_REQUIRED") void backend.answer(id, owner, { "question-1": { action: "decline" } });
    };
    const end = await feed.wait(id, owner, AbortSignal.timeout(30_000), answer);
    await work.stop(0);
    await store.close();
    assertEquals([end.status, calls], ["COMPLETED", 2]);
  },
});

Deno.test({
  name: `bullmq: a wish to cancel that the worker has not heard of is found in the record, if need be by another look${
    noRedis === undefined ? "" : ` (left out: ${noRedis})`
  }`,
  ignore: noRedis !== undefined,
  fn: async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    const store = await RedisStore.open(redis.url, prefix);
    const [listen, read] = [store.listen.bind(store), store.records.read.bind(store.records)];
    store.listen = () => () => {};
    const wished = Promise.withResolvers<void>();
    const deaf = listen((signal) => {
      if (signal.kind === "stop") wished.resolve();
    });
    let looks = 0;
    store.records.read = async (id) => {
      await wished.promise;
      if (++looks === 1) throw new Error("busy");
      return await read(id);
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
    const [id, owner] = [newTaskId(), "ann"];
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    await backend.create({ id, job: "waits", owner, input: {}, resultTtl: 60_000, retry });
    await began.promise;
    const end = await backend.cancel(id, owner, 30_000);
    await work.stop(0);
    deaf();
    await store.close();
    assertEquals([end.status, end.status === "CANCELLED" && end.work], ["CANCELLED", "stopped"]);
  },
});

Deno.test({
  name: `bullmq: a task that is to stop before BullMQ's answer has come does not begin${
    noRedis === undefined ? "" : ` (left out: ${noRedis})`
  }`,
  ignore: noRedis !== undefined,
  fn: async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    using feed = new TaskFeed(backend);
    const store = await RedisStore.open(redis.url, prefix);
    let hear: Parameters<typeof store.listen>[0] = () => {};
    store.listen = (listener) => {
      hear = listener;
      return () => {};
    };
    let runs = 0;
    const run = () => Promise.resolve({ kind: "value", value: ++runs } as const);
    const work = new QueueWork(store, { jobs: ["quick"], concurrency: 1, lease: 5_000, run });
    const [id, owner] = [newTaskId(), "ann"];
    hear({ kind: "stop", id });
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    await backend.create({ id, job: "quick", owner, input: {}, resultTtl: 60_000, retry });
    const end = await feed.wait(id, owner, AbortSignal.timeout(30_000));
    await work.stop(0);
    await store.close();
    assertEquals([end.status, end.status === "CANCELLED" && end.work, runs], ["CANCELLED", "stopped", 0]);
  },
});

Deno.test({
  name: `bullmq: a cancel that came while the worker was cut off is found after it, if need be by another look${
    noRedis === undefined ? "" : ` (left out: ${noRedis})`
  }`,
  ignore: noRedis !== undefined,
  fn: async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    const store = await RedisStore.open(redis.url, prefix);
    const [listen, read] = [store.listen.bind(store), store.records.read.bind(store.records)];
    const wished = Promise.withResolvers<void>();
    const deaf = listen((signal) => {
      if (signal.kind === "stop") wished.resolve();
    });
    let hear: Parameters<typeof store.listen>[0] = () => {};
    store.listen = (listener) => {
      hear = listener;
      return () => {};
    };
    const looked = Promise.withResolvers<void>();
    let looks = 0;
    store.records.read = async (id) => {
      if (++looks === 2) throw new Error("not connected yet");
      return await read(id).finally(looked.resolve);
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
    const [id, owner] = [newTaskId(), "ann"];
    const retry = { attempts: 1, delay: 0, maxDelay: 0 };
    await backend.create({ id, job: "waits", owner, input: {}, resultTtl: 60_000, retry });
    await looked.promise;
    const ended = backend.cancel(id, owner, 30_000);
    await wished.promise;
    hear({ kind: "gap" });
    const end = await ended;
    await work.stop(0);
    deaf();
    await store.close();
    assertEquals([end.status, end.status === "CANCELLED" && end.work], ["CANCELLED", "stopped"]);
  },
});
