/**
 * One brain: `record.ts` decides what becomes of a task. On Redis, BullMQ's states and our scripts decide, so this test runs
 * random sequences of events through both and compares the tasks. `ONE_BRAIN` is the number of sequences, and
 * `ONE_BRAIN_SEED` the first seed.
 *
 * @module
 */
import { Redis } from "ioredis";
import { BullMqBackend, type TaskInfo } from "../../../../mod.ts";
import { RedisStore } from "../../../../src/backends/bullmq/redis/store.ts";
import { TaskExpired } from "../../../../src/errors.ts";
import { isFinished } from "../../../../src/task.ts";
import { cut, messageOf } from "../../../../src/text.ts";
import { randomFrom } from "../../../../tools/random.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { ignored } from "../../../support/errors.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { testUnless } from "../../../support/test_unless.ts";
import type { Event } from "./one_brain/events.ts";
import { Lane } from "./one_brain/lane.ts";
import { after, stored } from "./one_brain/model.ts";
import { Draw, newTask, nextEvent, OWNER } from "./one_brain/random_events.ts";

const SEQUENCES = Number(Deno.env.get("ONE_BRAIN") ?? 1_000);
const FIRST_SEED = Number(Deno.env.get("ONE_BRAIN_SEED") ?? 1);

/** How many tasks live at the same time. What all of them send in one turn of the event loop costs one write. */
const LANES = 64;

/** The most events of a task, and the probability that nobody reads it after one. */
const MAX_EVENTS = 16;
const UNSEEN = 0.15;
const EVENTS_AFTER_END = 2;

/** What its owner sees of a task, as JSON carries it; of the times only which there are. */
function seen(task: TaskInfo): unknown {
  const times = { revision: 0, createdAt: 0, updatedAt: 0 };
  const isFar = (time = 0) => time > Date.now() + 60_000;
  const end = isFinished(task) ? { finishedAt: 0 } : {
    dueAt: isFar(task.dueAt),
    questions: task.questions?.map(({ expiresAt, ...question }) => ({ ...question, far: isFar(expiresAt) })),
  };
  return JSON.parse(JSON.stringify({ ...task, ...times, ...end }));
}

/** A task as Redis tells it, and how it ended. */
async function read(backend: BullMqBackend, id: string) {
  try {
    const task = await backend.get(id, OWNER);
    return { task, outcome: isFinished(task) ? await backend.outcome(id, OWNER) : undefined };
  } catch (error) {
    if (!(error instanceof TaskExpired)) throw error;
    return undefined;
  }
}

/** Lets one task live through random events, and compares what Redis tells of it with the model. */
async function live(seed: number, job: string, lane: Lane, backend: BullMqBackend): Promise<void> {
  const draw = new Draw(randomFrom(seed));
  const events: Event[] = [];
  const task = newTask(draw, job);
  let model = stored(task);
  let before: TaskInfo | undefined = await lane.create(task);
  assertEquals(seen(before), seen(model.record.info));
  const compare = async () => {
    const found = await read(backend, task.id);
    assertEquals(found === undefined, model.expired);
    if (found === undefined) return; // Its job and its log are deleted as soon as no run holds them.
    // What is read at once costs one write.
    const [log, lists, isFound, steps] = await Promise.all([
      lane.log(),
      lane.lists(),
      lane.isFoundAs(found.task.status),
      isFinished(found.task) ? model.steps : lane.steps(),
    ]);
    assertEquals(log, model.log);
    assertEquals(seen(found.task), seen(model.record.info));
    assertEquals(lists.length, 1, `The lists of a task that is ${found.task.status}`);
    assert(isFound, `An operator does not find the task as ${found.task.status}.`);
    assertEquals(found.outcome, model.outcome);
    assertEquals(steps, model.steps);
    if (before) assertFollows(before, found.task);
    before = found.task;
  };
  try {
    await compare();
    for (let left = MAX_EVENTS; left > 0; left--) {
      // What comes after the end changes nothing: a few events show that.
      if (isFinished(model.record.info)) left = Math.min(left, EVENTS_AFTER_END);
      const event = nextEvent(draw, model, lane.lateRuns);
      events.push(event);
      await lane.happen(event, model);
      model = after(model, event);
      if (left === 1 || !draw.chance(UNSEEN)) await compare();
    }
    await lane.clear();
  } catch (cause) {
    const shortened = (_: string, value: unknown) => typeof value === "string" ? cut(value, 40) : value;
    throw new Error(`Seed ${seed}, after ${JSON.stringify(events, shortened)}: ${messageOf(cause)}`, { cause });
  }
}

/** A newer change has a higher revision, and no earlier time. */
function assertFollows(before: TaskInfo, now: TaskInfo): void {
  const isSame = JSON.stringify(seen(before)) === JSON.stringify(seen(now));
  assert(now.revision > before.revision || isSame && now.revision === before.revision, "The revision is too low.");
  assert(now.updatedAt >= before.updatedAt, "It was changed before its last change.");
}

testUnless(noRedis, `bullmq on Redis: ${SEQUENCES} tasks of random events stand as record.ts has them`, async () => {
  await using redis = await openRedis();
  const prefix = `test-${crypto.randomUUID()}`;
  await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
  const store = await RedisStore.open(redis.url, ignored, prefix);
  const workers = store.workers();
  const client = new Redis(redis.url);
  let next = FIRST_SEED;
  const lanes = Array.from({ length: LANES }, async (_, index) => {
    const name = `lane-${index}`;
    const lane = await Lane.open({ store, workers, client, prefix }, name);
    while (next < FIRST_SEED + SEQUENCES) await live(next++, name, lane, backend);
  });
  try {
    await Promise.all(lanes);
  } finally {
    // After a failure the other lanes stop, so that nothing of them runs into the next test.
    next = Infinity;
    await Promise.allSettled(lanes);
    await workers.close();
    await store.close();
    await client.quit();
  }
});
