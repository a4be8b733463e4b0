/**
 * Workers whose commands Redis refuses: they pause, and lose nothing.
 *
 * @module
 */
import * as bullmq from "bullmq";
import { createWorker, defineJob } from "../../../../mod.ts";
import { pauseAfterErrors } from "../../../../src/backends/bullmq/worker/error_pauses.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { ignored } from "../../../support/errors.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { EVERYTHING, type Place, testAsUser as test } from "../../support/redis_user.ts";
import { newTask } from "../../../support/tasks.ts";

const LEASE = 60_000;

/** A plain worker that pauses, and its pauses. Each pause lasts until `meanwhile` is done. */
function startWorker({ url }: Place, meanwhile: (pauses: readonly number[]) => Promise<unknown>) {
  const pauses: number[] = [];
  const wait = async (ms: number) => {
    pauses.push(ms);
    await meanwhile(pauses);
  };
  const done = Promise.withResolvers<string>();
  const options = { connection: { url, maxRetriesPerRequest: null }, autorun: false, drainDelay: 0.01 };
  const worker = new bullmq.Worker("jobs", () => Promise.resolve("done"), options);
  worker.on("error", () => {});
  worker.on("completed", (job) => done.resolve(`${job.returnvalue}`));
  worker.on("failed", (_, error) => done.resolve(error.message));
  pauseAfterErrors(bullmq, worker, { job: "jobs", lease: LEASE, onError: ignored }, wait);
  return { worker, pauses, done: done.promise };
}

async function add({ server }: Place): Promise<void> {
  const queue = new bullmq.Queue("jobs", { connection: { url: server.url } });
  await queue.add("job", {});
  await queue.close();
}

/** Makes Redis refuse writes, as with too few replicas, or accept them again. */
const refuse = ({ admin }: Place, yes: boolean) => admin.config("SET", "min-replicas-to-write", yes ? 1 : 0);

test("a worker that may not write retries less and less often, and runs waiting jobs once it may", async (place) => {
  await place.allow("on", ">secret", ...EVERYTHING);
  await add(place);
  await refuse(place, true);
  const { worker, pauses, done } = startWorker(
    place,
    async ({ length }) => length === 7 && await refuse(place, false),
  );
  void worker.run();
  assertEquals(await done, "done");
  assertEquals(pauses, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
  await worker.close();
});

test("a worker that may not wait for jobs retries less and less often, and runs new jobs once it may", async (place) => {
  await place.allow("on", ">secret", ...EVERYTHING, "-bzpopmin");
  const { worker, pauses, done } = startWorker(place, async ({ length }) => {
    if (length < 5) return;
    await place.allow("+bzpopmin");
    await add(place);
  });
  void worker.run();
  assertEquals(await done, "done");
  assertEquals(pauses, [100, 200, 400, 800, 1_600]);
  await worker.close();
});

test("the end of a job that Redis refuses to store is stored later, and does not fail the job", async (place) => {
  await place.allow("on", ">secret", ...EVERYTHING);
  await add(place);
  const { worker, pauses, done } = startWorker(
    place,
    async ({ length }) => length === 3 && await refuse(place, false),
  );
  worker.once("active", () => void refuse(place, true));
  void worker.run();
  assertEquals(await done, "done");
  assertEquals(pauses.slice(0, 3), [100, 200, 400]);
  await worker.close();
});

test("a worker that pauses can be closed", async (place) => {
  await place.allow("on", ">secret", ...EVERYTHING);
  const paused = Promise.withResolvers<void>();
  const options = { connection: { url: place.url, maxRetriesPerRequest: null }, autorun: false };
  const worker = new bullmq.Worker("jobs", () => Promise.resolve(), options);
  worker.on("error", () => paused.resolve());
  pauseAfterErrors(bullmq, worker, { job: "jobs", lease: LEASE, onError: ignored });
  await refuse(place, true);
  void worker.run();
  await paused.promise;
  await worker.close();
});

const idle = defineJob({ name: "idle", input: { type: "object" }, run: () => "done" });

test("a worker whose user may no longer run INFO rejects, and its process continues", async (place) => {
  await using backend = await place.connect(EVERYTHING);
  await place.allow("-info");
  const worker = createWorker(backend, [idle]);
  await assertRejects(() => worker.ready, Error, "NOPERM");
  await new Promise((resolve) => setTimeout(resolve));
  await worker.close();
});

test("a task whose end Redis refuses for a while completes in the same attempt", async (place) => {
  await using backend = await place.connect(EVERYTHING);
  const [started, gate] = [1, 2].map(() => Promise.withResolvers<void>());
  let runs = 0;
  const job = defineJob({
    name: "job",
    input: { type: "object" },
    run: async () => {
      runs++;
      started?.resolve();
      await gate?.promise;
      return "done";
    },
  });
  await using _worker = createWorker(backend, [job]);
  const [id, owner] = [newTaskId(), "owner"];
  await backend.create(newTask({ id, owner }));
  using feed = new TaskFeed(backend);
  const end = feed.wait(id, owner, AbortSignal.timeout(60_000));
  await started?.promise;
  await refuse(place, true);
  const refused = async () => Number((await place.admin.info("errorstats")).match(/NOREPLICAS:count=(\d+)/)?.[1] ?? 0);
  const before = await refused();
  gate?.resolve();
  await until(async () => await refused() > before, "Redis has refused the end");
  await refuse(place, false);
  assertEquals([(await end).status, runs], ["COMPLETED", 1]);
  assertEquals(await backend.outcome(id, owner), { kind: "value", value: "done" });
});
