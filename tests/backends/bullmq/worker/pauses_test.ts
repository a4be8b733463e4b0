/**
 * Workers whose commands Redis refuses: they pause, and lose nothing.
 *
 * @module
 */
import { type BullMqBackend, createWorker, defineJob, type OnError } from "../../../../mod.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { pause } from "../../../../src/waiting.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { EVERYTHING, type Place, testAsUser as test } from "../../support/redis_user.ts";
import { newTask } from "../../../support/tasks.ts";

/** Makes Redis refuse writes, as with too few replicas, or accept them again. */
const refuse = ({ admin }: Place, yes: boolean) => admin.config("SET", "min-replicas-to-write", yes ? 1 : 0);

/** A worker that takes jobs from `after` on. `failed` receives the places of its errors. */
function workOn(backend: BullMqBackend, failed: (where: string) => void, after?: Promise<void>) {
  const done = Promise.withResolvers<void>();
  const work = backend.work({
    jobs: ["job"],
    concurrency: 1,
    after,
    onError: (_, { where }) => failed(where),
    run: () => {
      done.resolve();
      return Promise.resolve({ kind: "value", value: null });
    },
  });
  return { work, done: done.promise };
}

test("a worker that may not write asks again for jobs, and runs those that wait once it may", async (place) => {
  await using backend = await place.connect(EVERYTHING);
  await backend.create(newTask());
  const [refused, begin] = [1, 2].map(() => Promise.withResolvers<void>());
  let errors = 0;
  const failed = (where: string) => where === "look for tasks to run" && ++errors === 2 && refused?.resolve();
  const { work, done } = workOn(backend, failed, begin?.promise);
  await work.ready;
  await refuse(place, true);
  begin?.resolve();
  await refused?.promise;
  await refuse(place, false);
  await done;
  await work.stop(60_000);
});

test("a worker that may not wait for jobs pauses, and runs new jobs once it may", async (place) => {
  await using backend = await place.connect(EVERYTHING);
  await place.allow("-bzpopmin");
  const refused = Promise.withResolvers<void>();
  let errors = 0;
  const { work, done } = workOn(backend, (where) => where === "wait for jobs" && ++errors === 2 && refused.resolve());
  await refused.promise;
  await place.allow("+bzpopmin");
  await backend.create(newTask());
  await done;
  await work.stop(60_000);
});

const idle = defineJob({ name: "idle", input: { type: "object" }, run: () => "done" });

test("a worker whose user may no longer run INFO rejects, and its process continues", async (place) => {
  await using backend = await place.connect(EVERYTHING);
  await place.allow("-info");
  const worker = createWorker(backend, [idle]);
  await assertRejects(() => worker.ready, Error, "NOPERM");
  await pause(0);
  await worker.close();
});

/** Starts a task whose code begins, and waits for the test; `end` is how it then ends. Calls back with what its worker reports. */
async function startTask(backend: BullMqBackend, end: () => string, reported?: OnError) {
  const [started, gate] = [1, 2].map(() => Promise.withResolvers<void>());
  const run = async () => {
    started?.resolve();
    await gate?.promise;
    return end();
  };
  const worker = createWorker(backend, [defineJob({ name: "job", input: { type: "object" }, run })], {
    ...(reported && { onError: reported }),
  });
  const feed = new TaskFeed(backend);
  const { id, owner } = await backend.create(newTask());
  const ended = feed.wait(id, owner, AbortSignal.timeout(60_000));
  await started?.promise;
  return {
    id,
    owner,
    ended,
    go: () => gate?.resolve(),
    async [Symbol.asyncDispose]() {
      feed[Symbol.dispose]();
      await worker.close();
    },
  };
}

test("a task whose end Redis refuses for a while completes in the same attempt", async (place) => {
  await using backend = await place.connect(EVERYTHING);
  let runs = 0;
  const end = () => {
    runs++;
    return "done";
  };
  await using task = await startTask(backend, end);
  await refuse(place, true);
  const refused = async () => Number((await place.admin.info("errorstats")).match(/NOREPLICAS:count=(\d+)/)?.[1] ?? 0);
  const before = await refused();
  task.go();
  await until(async () => await refused() > before, "Redis has refused the end");
  await refuse(place, false);
  assertEquals([(await task.ended).status, runs], ["COMPLETED", 1]);
  assertEquals(await backend.outcome(task.id, task.owner), { kind: "value", value: "done" });
});

test("a failure whose end Redis refuses many times is stored with one trace of its stack", async (place) => {
  await using backend = await place.connect(EVERYTHING);
  const thrice = Promise.withResolvers<void>();
  let errors = 0;
  const reported: OnError = (_, { where }) => {
    if (where === "store how an attempt has ended" && ++errors === 3) thrice.resolve();
  };
  const fail = () => {
    throw new Error("It broke.");
  };
  await using task = await startTask(backend, fail, reported);
  await refuse(place, true);
  task.go();
  await thrice.promise;
  await refuse(place, false);
  assertEquals((await task.ended).status, "FAILED");
  assertEquals(JSON.parse(await place.admin.hget(`bull:job:${task.id}`, "stacktrace") ?? "").length, 1);
});
