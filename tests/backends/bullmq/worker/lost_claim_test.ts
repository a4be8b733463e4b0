/**
 * Claims whose replies are lost with their connection, after Redis has carried them out.
 *
 * @module
 */
import { BullMqBackend, createWorker, defineJob, type TaskInfo } from "../../../../mod.ts";
import { CLAIM } from "../../../../src/backends/bullmq/redis/scripts/parts.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { noRedis, openRedis } from "../../../../tools/redis_server.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { ignored } from "../../../support/errors.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { newTask } from "../../../support/tasks.ts";
import { LossyNetwork } from "../../support/lossy_network.ts";

/** So long that no lock runs out. */
const LEASE_MS = 10_000;

/** Loses the reply with the nth job that the only slot of a worker gets, of three. Resolves with how the tasks have ended. */
async function loseReply(nth: number): Promise<readonly TaskInfo[]> {
  await using redis = await openRedis();
  const prefix = `test-${crypto.randomUUID()}`;
  let jobs = 0;
  await using network = new LossyNetwork(redis.url, 1, (_, answer) => answer.includes(CLAIM) && ++jobs === nth);
  await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
  const options = { redis: network.url, prefix, lease: LEASE_MS, onError: ignored };
  await using behind = await BullMqBackend.connect(options);
  using feed = new TaskFeed(backend);
  const tasks = await Promise.all([1, 2, 3].map(() => backend.create(newTask())));
  const job = defineJob({ name: "job", input: { type: "object" }, run: () => "done" });
  await using _worker = createWorker(behind, [job], { concurrency: 1 });
  const signal = AbortSignal.timeout(60_000);
  return await Promise.all(tasks.map(({ id, owner }) => feed.wait(id, owner, signal)));
}

for (const [what, nth] of [["a claim", 1], ["an end that claims the next job", 2]] as const) {
  testUnless(
    noRedis,
    `bullmq: what ${what} has taken whose reply is lost runs again, without the death of a worker`,
    async () => {
      const ends = await loseReply(nth);
      assertEquals(ends.map(({ status, attempt }) => [status, attempt]), Array(3).fill(["COMPLETED", 1]));
    },
  );
}

testUnless(
  noRedis,
  "bullmq: a task that runs while its worker connects again, and finds a lost claim, runs only once",
  async () => {
    await using redis = await openRedis();
    const prefix = `test-${crypto.randomUUID()}`;
    let jobs = 0;
    await using network = new LossyNetwork(redis.url, 1, (_, answer) => answer.includes(CLAIM) && ++jobs === 2);
    await using backend = await BullMqBackend.connect({ redis: redis.url, prefix });
    await using behind = await BullMqBackend.connect({ redis: network.url, prefix, lease: LEASE_MS, onError: ignored });
    using feed = new TaskFeed(backend);
    const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const runs: string[] = [];
    const job = defineJob({
      name: "job",
      input: { type: "object" },
      run: async (_, { id }) => {
        runs.push(id);
        if (id !== first.id) return;
        begun.resolve();
        await end.promise;
      },
    });
    const first = await backend.create(newTask());
    await using _worker = createWorker(behind, [job], { concurrency: 2 });
    await begun.promise;
    const others: string[] = [];
    for (const _ of [1, 2]) { // The claim of the first one is lost. What else is given back comes before the second one.
      const { id, owner } = await backend.create(newTask());
      others.push(id);
      await feed.wait(id, owner, AbortSignal.timeout(60_000));
    }
    assertEquals(runs, [first.id, ...others]);
    end.resolve();
    assertEquals((await feed.wait(first.id, first.owner)).status, "COMPLETED");
  },
);
