import { Redis } from "ioredis";
import { BullMqBackend, createWorker, defineJob, type JobContext } from "../../../mod.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { inTime } from "../../../src/backends/shared/deadline.ts";
import { newTaskId } from "../../../src/ids.ts";
import { type BackendHarness, exerciseBackend } from "../../../src/testing/mod.ts";
import { noRedis, RedisServer } from "../../../tools/redis_server.ts";
import { assertEquals } from "../../../tools/std.ts";
import { testUnless } from "../../support/test_unless.ts";
import { leaseFor, startDoomedWorker } from "../support/doomed_worker.ts";
import { Network } from "../support/network.ts";
import { queueAgain } from "../support/queue_again.ts";
import { leastPermissions, refusals } from "../support/redis_user.ts";
import { newTask } from "../../support/tasks.ts";

/** Short, so that a dead worker is noticed soon. */
const LEASE = 900;

/** All texts in the value of a key. */
async function contentsOf(client: Redis, key: string): Promise<readonly string[]> {
  const type = await client.type(key);
  if (type === "hash") return Object.values(await client.hgetall(key));
  if (type === "list") return await client.lrange(key, 0, -1);
  if (type === "zset") return await client.zrange(key, "0", "-1");
  if (type === "set") return await client.smembers(key);
  return [await client.get(key) ?? ""];
}

if (noRedis === undefined) {
  // One server for all cases; each has its own keys. Our own server permits only what docs/bullmq.md lists.
  const url = Deno.env.get("REDIS_URL");
  const server = url === undefined ? await RedisServer.start() : undefined;
  const redis = server ? server.url.replace("redis://", "redis://jobs:secret@") : url ?? "";
  if (server) {
    globalThis.addEventListener("unload", () => server.end());
    const admin = new Redis(server.url);
    await admin.acl("SETUSER", "jobs", "on", ">secret", ...await leastPermissions("mcp-jobs-test-*"));
    await admin.quit();
  }
  exerciseBackend("bullmq", async (needs): Promise<BackendHarness> => {
    const lease = leaseFor(needs);
    const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
    const connect = () => BullMqBackend.connect({ redis, prefix, lease });
    const network = needs.cut ? new Network(redis) : undefined;
    const backend = await BullMqBackend.connect({ redis: network?.url ?? redis, prefix, lease });
    return {
      backend,
      connect,
      startDoomedWorker: (job) => Promise.resolve(startDoomedWorker({ redis, prefix, lease }, job)),
      holds: async (text) => {
        const client = new Redis(server?.url ?? redis);
        try {
          const keys = (await client.keys(`${prefix}*`)).filter((key) => !key.endsWith(":events"));
          const kept = await Promise.all(keys.map((key) => contentsOf(client, key)));
          return kept.some((texts) => texts.some((one) => one.includes(text)));
        } finally {
          client.disconnect();
        }
      },
      cut: network && (() => network.refuse()),
      close: async () => {
        await backend.close();
        await network?.[Symbol.asyncDispose]();
      },
    };
  }, {
    skip: {
      "of the tasks of several jobs, a worker runs the most urgent first, then the oldest":
        "each job has a queue of its own",
    },
  });

  Deno.test("bullmq: a task that comes back to the worker that lost it gets its answer, and both runs end with the worker", async () => {
    const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
    await using backend = await BullMqBackend.connect({ redis, prefix, lease: LEASE });
    const first = Promise.withResolvers<void>();
    const lost = Promise.withResolvers<void>();
    let runs = 0;
    const run = async (_: unknown, ctx: JobContext) => {
      if (++runs === 1) {
        ctx.signal.addEventListener("abort", () => lost.resolve());
        first.resolve();
        await new Promise(() => {}); // It ignores its signal.
      }
      const { action } = await ctx.elicit({ message: "Which?", schema: { type: "object" } });
      return action;
    };
    const job = defineJob({ name: "asks", input: { type: "object" }, run });
    const worker = createWorker(backend, [job], { grace: 0 });
    const [id, owner] = [newTaskId(), "owner"];
    await backend.create(newTask({ id, job: "asks", owner }));
    using feed = new TaskFeed(backend);
    const end = feed.wait(id, owner, AbortSignal.timeout(60_000), (task) => {
      const [question] = "questions" in task ? task.questions ?? [] : [];
      if (question) void backend.answer(id, owner, { [question.key]: { action: "decline" } });
    });
    await first.promise;
    // As if the worker had been silent for so long that another one took it for dead.
    const client = new Redis(server?.url ?? redis);
    await queueAgain(client, `${prefix}:asks`, id);
    await client.quit();
    await lost.promise;
    assertEquals((await end).status, "COMPLETED");
    assertEquals(await backend.outcome(id, owner), { kind: "value", value: "decline" });
    await inTime(worker.close(), "the close hangs", 30_000);
  });

  testUnless(
    server ? undefined : "unset REDIS_URL",
    "bullmq: Redis has refused no command in the tests above",
    async () => {
      const admin = new Redis(server?.url ?? "");
      assertEquals(await refusals(admin), []);
      await admin.quit();
    },
  );
} else {
  testUnless(noRedis, "bullmq", async () => {});
}
