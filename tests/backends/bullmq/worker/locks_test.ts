import { Job } from "bullmq";
import { Redis } from "ioredis";
import { BullMqBackend, createWorker, defineJob, type JobContext } from "../../../../mod.ts";
import { type HeldJob, HeldJobs } from "../../../../src/backends/bullmq/worker/held.ts";
import { HoldLost } from "../../../../src/errors.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { newTaskId } from "../../../../src/ids.ts";
import type { TaskInfo } from "../../../../src/task.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { assertEquals, assertMatch } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { queueAgain } from "../../support/queue_again.ts";
import { newTask } from "../../../support/tasks.ts";

const OWNER = "owner";

/** Short, so that a worker soon learns that it has lost its task. */
const LEASE = 900;

/** A backend with such leases, a connection of its own to the same Redis, and the id of a task to come. */
async function open(url: string, lease = LEASE) {
  const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
  const backend = await BullMqBackend.connect({ redis: url, prefix, lease });
  const client = new Redis(url);
  return {
    prefix,
    backend,
    client,
    id: newTaskId(),
    async [Symbol.asyncDispose]() {
      await client.quit();
      await backend.close();
    },
  };
}

type Scene = Awaited<ReturnType<typeof open>>;

function test(name: string, run: (scene: Scene) => Promise<void>, lease?: number): void {
  testUnless(noRedis, `bullmq: ${name}`, async () => {
    await using redis = await openRedis();
    await using scene = await open(redis.url, lease);
    await run(scene);
  });
}

/** A run of the same job. */
function heldBy(run: number): HeldJob {
  const job: Job = Object.create(Job.prototype);
  const hold = { id: "a", run, token: `${run}` };
  return { job, hold, recorded: undefined, reported: {}, isCancelled: false, isEnding: false };
}

Deno.test("when a job comes back to its worker, the end of its earlier run does not end the hold of the later one", () => {
  const jobs = new HeldJobs();
  const [first, second] = [heldBy(1), heldBy(2)];
  jobs.add(first);
  jobs.add(second);
  assertEquals([1, 2].map((revision) => jobs.of({ id: "a", revision })), [undefined, second]);
  jobs.remove(first);
  assertEquals(jobs.all, [second]);
  jobs.remove(second);
  assertEquals(jobs.all, []);
});

test("a task that was taken from its worker runs once more, and its first run does not affect the second", async ({ prefix, backend, client, id }) => {
  const [again, reported] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let runs = 0;

  /** Waits until its lock was renewed for longer than it lasts, or is gone. */
  const outlive = async () => {
    let [last, renewals] = [0, 0];
    await until(async () => {
      const left = await client.pttl(`${prefix}:still:${id}:lock`);
      if (left > last) renewals++;
      last = left;
      return left < 0 || renewals > 8;
    }, "the lock of the second run is renewed");
  };
  let first: AbortSignal | undefined;
  const run = async (_: unknown, ctx: JobContext) => {
    if (++runs === 1) {
      first = ctx.signal;
      await ctx.progress(0.1);
      await queueAgain(client, `${prefix}:still`, id);
      await again.promise; // It ignores its signal.
      await ctx.progress(0.2, "the first run");
      reported.resolve();
      return "the first run";
    }
    await ctx.progress(0.5, "the second run");
    again.resolve();
    await reported.promise;
    await outlive();
    const { progress, message } = await backend.get(id, OWNER);
    return { runs, progress: progress ?? null, message: message ?? null };
  };
  const job = defineJob({ name: "still", input: { type: "object" }, run });
  await using worker = createWorker(backend, [job]);
  await worker.ready;
  using feed = new TaskFeed(backend);
  await backend.create(newTask({ id, job: "still", owner: OWNER }));
  await feed.wait(id, OWNER, AbortSignal.timeout(60_000));
  assertEquals(await backend.outcome(id, OWNER), {
    kind: "value",
    value: { runs: 2, progress: 0.5, message: "the second run" },
  });
  assertEquals([runs, first?.reason instanceof HoldLost], [2, true]);
});

test("a run that has slept does not get back a task that another run has taken, even if that one's lock has run out, too", async ({ prefix, backend, client, id }) => {
  const lost = Promise.withResolvers<string>();
  const run = async (_: unknown, { signal }: JobContext) => {
    signal.addEventListener("abort", () => lost.resolve(String(signal.reason)));
    const job = `${prefix}:sleeps:${id}`;
    await client.multi().hincrby(job, "ats", 1).del(`${job}:lock`).exec();
    await lost.promise;
  };
  await using worker = createWorker(backend, [defineJob({ name: "sleeps", input: { type: "object" }, run })]);
  await worker.ready;
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  await backend.create({ id, job: "sleeps", owner: OWNER, input: {}, resultTtl: 60_000, retry });
  assertEquals(await lost.promise, String(new HoldLost()));
});

test(
  "a run that ends just after its task was taken from its worker reports that once, and the worker goes on",
  async ({ prefix, backend, client }) => {
    const errors: unknown[] = [];
    const run = async ({ taken }: { readonly taken?: boolean }, { id }: JobContext) => {
      if (taken) await client.set(`${prefix}:ends:${id}:lock`, "another worker");
      return "done";
    };
    const job = defineJob({ name: "ends", input: { type: "object" }, run });
    const onError = (error: unknown) => void errors.push(error);
    await using worker = createWorker(backend, [job], { concurrency: 1, onError });
    await worker.ready;
    using feed = new TaskFeed(backend);
    await backend.create(newTask({ job: "ends", input: { taken: true } }));
    await until(() => errors.length > 0, "the first run has reported that it has lost its task");
    const { id, owner } = await backend.create(newTask({ job: "ends" }));
    await feed.wait(id, owner);
    await worker.close(); // It would try once more to store an end that was not refused for good.
    assertMatch(errors.join("\n"), /^Error: Lock mismatch .*$/);
  },
  60_000,
); // No renewal notices the loss before the end.

test("the only slot of a worker is free once it has lost a task, although the code of that does not stop", async ({ prefix, backend, client }) => {
  const [begun, lost, ending] = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
    Promise.withResolvers(),
  ];
  const run = async ({ stays }: { readonly stays?: boolean }, { signal }: JobContext) => {
    if (!stays) return "done";
    signal.addEventListener("abort", () => lost.resolve());
    begun.resolve();
    await ending.promise;
    return "too late";
  };
  const job = defineJob({ name: "stays", input: { type: "object" }, run });
  await using worker = createWorker(backend, [job], { concurrency: 1 });
  await worker.ready;
  using feed = new TaskFeed(backend);
  const { id } = await backend.create(newTask({ job: "stays", input: { stays: true } }));
  await begun.promise;
  await client.set(`${prefix}:stays:${id}:lock`, "another worker");
  await lost.promise;
  const next = await backend.create(newTask({ job: "stays" }));
  assertEquals((await feed.wait(next.id, next.owner)).status, "COMPLETED");
  ending.resolve(undefined);
});

test("a task whose attempt fails after a worker has died waits because of the failure", async ({ prefix, backend, client, id }) => {
  let runs = 0;
  const run = async (_: unknown, { signal }: JobContext) => {
    if (++runs === 2) throw new Error("The card was declined.");
    const lost = new Promise((resolve) => signal.addEventListener("abort", resolve));
    await queueAgain(client, `${prefix}:pays`, id);
    await lost;
  };
  await using worker = createWorker(backend, [defineJob({ name: "pays", input: { type: "object" }, run })]);
  await worker.ready;
  const waits = Promise.withResolvers<TaskInfo>();
  const stop = backend.watch((event) => {
    if (event.kind === "change" && event.task.status === "RETRYING") waits.resolve(event.task);
  });
  const retry = { attempts: 3, delay: 60_000, maxDelay: 60_000 };
  await backend.create({ id, job: "pays", owner: OWNER, input: {}, resultTtl: 60_000, retry });
  assertMatch((await waits.promise).message ?? "", /The card was declined/);
  const { status, message } = await backend.get(id, OWNER);
  assertEquals([status, /The card was declined/.test(message ?? "")], ["RETRYING", true]);
  stop();
});
