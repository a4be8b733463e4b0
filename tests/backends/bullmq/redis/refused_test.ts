/**
 * What is left in a Redis that refuses a command half-way: nothing of the call that failed.
 *
 * @module
 */
import { Queue } from "bullmq";
import { BullMqBackend, createWorker, defineJob } from "../../../../mod.ts";
import { IN_SCRIPTS } from "../../../../src/backends/bullmq/redis/probe.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { EVERYTHING, type Place, testAsUser as test } from "../../support/redis_user.ts";
import { newTask } from "../../../support/tasks.ts";

const OWNER = "owner";

type More = { readonly delay?: number; readonly priority?: number };

/** One for each of BullMQ's ways to put a job into its queue. */
const KINDS: readonly More[] = [{}, { delay: 60_000 }, { priority: 3 }];

async function create(backend: BullMqBackend, more: More = {}): Promise<string> {
  const task = newTask({ owner: OWNER, ...more });
  return (await backend.create(task)).id;
}

/** Creates a task of each kind while something is wrong. Exactly those that were accepted are stored. */
async function createEach(place: Place, backend: BullMqBackend, what: string): Promise<number> {
  const { admin, server } = place;
  const queue = new Queue("job", { connection: { url: server.url }, skipMetasUpdate: true });
  let accepted = 0;
  for (const more of KINDS) {
    const id = await create(backend, more).catch(() => undefined);
    await place.allow(...EVERYTHING);
    const jobs = await queue.getJobs(["waiting", "delayed", "prioritized"]);
    const [hashes, records] = [await admin.keys("bull:job:*-*-*"), await admin.keys("bull:mcp-jobs:task:*")];
    const expected = id === undefined ? [] : [id];
    const there = [jobs.map((job) => job.id), hashes.map((key) => key.slice(9)), records.map((key) => key.slice(19))];
    assertEquals(there, [expected, expected, expected], `${what}, ${JSON.stringify(more)}`);
    if (id !== undefined) accepted++;
    await admin.flushall();
    await place.allow(what);
  }
  await queue.close();
  return accepted;
}

test("a task is stored completely or not at all, whichever permission is missing", async (place) => {
  await using backend = await place.connect(EVERYTHING);
  await create(backend);
  await place.admin.flushall();
  const accepted: string[] = [];
  for (const command of [...new Set(IN_SCRIPTS.map((trial) => trial.split(" ")[0] ?? "")), "TIME", "PUBLISH"]) {
    await place.allow(`-${command}`);
    if (await createEach(place, backend, `-${command}`) === KINDS.length) accepted.push(command);
    await place.allow(...EVERYTHING);
  }
  // Commands that only notify others, and commands that are not needed, do not keep a task from being stored.
  assert(accepted.includes("PUBLISH") && accepted.includes("SMEMBERS"));
  for (const needed of ["HSET", "SADD", "ZADD", "LPOS", "TIME"]) assert(!accepted.includes(needed), needed);
});

test("a task is stored completely or not at all, whatever other data is at its keys", async (place) => {
  await using backend = await place.connect(EVERYTHING);
  await create(backend);
  await place.admin.flushall();
  const places = [
    "mcp-jobs:queues",
    "mcp-jobs:expiry",
    `mcp-jobs:owner:${OWNER}`,
    "job:events",
    "job:marker",
    "job:wait",
  ];
  for (const name of places) {
    await place.admin.set(`bull:${name}`, "not ours");
    const id = await create(backend).catch(() => undefined);
    const [hashes, records] = [
      await place.admin.keys("bull:job:*-*-*"),
      await place.admin.keys("bull:mcp-jobs:task:*"),
    ];
    const count = id === undefined ? 0 : 1;
    assertEquals([hashes.length, records.length], [count, count], name);
    await place.admin.flushall();
  }
});

/** Waits for the start of a run, and for its end. */
function gated() {
  const started = Promise.withResolvers<void>();
  let runs = 0;
  const job = defineJob({
    name: "job",
    input: { type: "object" },
    run: async (_, { signal, elicit }) => {
      runs++;
      started.resolve();
      const { action } = await elicit({ message: "Which?", schema: { type: "object" } });
      signal.throwIfAborted();
      return action;
    },
  });
  return { job, started: started.promise, runs: () => runs };
}

const patience = () => AbortSignal.timeout(60_000);

/** Without channels, no signal of an answer or a cancel arrives. */
async function answersAndCancels(server: BullMqBackend, host: BullMqBackend): Promise<void> {
  const [first, second] = [gated(), gated()];
  using feed = new TaskFeed(server);
  {
    await using _worker = createWorker(host, [first.job]);
    const id = await create(server);
    await first.started;
    const end = feed.wait(id, OWNER, patience(), (task) => {
      const questions = "questions" in task ? task.questions ?? [] : [];
      for (const { key } of questions) void server.answer(id, OWNER, { [key]: { action: "decline" } });
    });
    assertEquals([(await end).status, first.runs()], ["COMPLETED", 1]);
  }
  await using _worker = createWorker(host, [second.job]);
  const id = await create(server);
  await second.started;
  const end = await server.cancel(id, OWNER, 30_000);
  assertEquals([end.status, "work" in end && end.work, second.runs()], ["CANCELLED", "stopped", 1]);
}

test("when a server may no longer publish, its tasks run once, and its answers and cancels still reach the worker", async (place) => {
  await using host = await BullMqBackend.connect({ redis: place.server.url });
  await using server = await place.connect(EVERYTHING);
  server.watch(() => {});
  await place.allow("resetchannels");
  await answersAndCancels(server, host);
});

test("a worker that may no longer subscribe still notices answers and cancels", async (place) => {
  await using server = await BullMqBackend.connect({ redis: place.server.url });
  await using host = await place.connect(EVERYTHING);
  host.watch(() => {});
  await place.allow("resetchannels");
  await answersAndCancels(server, host);
});

test("a call that waits for a task notices its end, even if the signal of a new queue was lost", async (place) => {
  await using other = await BullMqBackend.connect({ redis: place.server.url });
  await using server = await place.connect(EVERYTHING);
  await place.allow("resetchannels");
  // It has read the list of queues twice: at the start, and after it had subscribed.
  const listens = Promise.withResolvers<void>();
  let gaps = 0;
  other.watch(({ kind }) => kind === "gap" && ++gaps === 2 && listens.resolve());
  await listens.promise;
  using feed = new TaskFeed(other);
  const id = await create(server);
  const end = feed.wait(id, OWNER, patience());
  await other.get(id, OWNER);
  await using _worker = createWorker(server, [defineJob({ name: "job", input: { type: "object" }, run: () => 1 })]);
  assertEquals((await end).status, "COMPLETED");
});
