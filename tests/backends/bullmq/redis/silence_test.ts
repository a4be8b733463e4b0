import { Redis } from "ioredis";
import { BackendError, BullMqBackend, createWorker, defineJob, type TaskInfo } from "../../../../mod.ts";
import { closable, end } from "../../../../src/backends/bullmq/redis/connection.ts";
import { withPulse } from "../../../../src/backends/bullmq/redis/pulse.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";
import { hasRedisServer, RedisServer } from "../../../../tools/redis_server.ts";
import { until } from "../../../support/processes.ts";
import { Network } from "../../support/network.ts";

const OWNER = "owner";

/** Only a test that fails waits as long. */
const PATIENCE_MS = 30_000;
const patience = () => AbortSignal.timeout(PATIENCE_MS);

function create(backend: BullMqBackend, job: string): Promise<TaskInfo> {
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  return backend.create({ id: newTaskId(), job, owner: OWNER, input: {}, resultTtl: 60_000, retry });
}

/** Registers a case with a Redis behind a network. */
function behindNetwork(name: string, fn: (network: Network, server: RedisServer) => Promise<void>): void {
  Deno.test({
    name: `bullmq on Redis: ${name}${hasRedisServer ? "" : " (left out: install redis-server)"}`,
    ignore: !hasRedisServer,
    fn: async () => {
      await using server = await RedisServer.start();
      await using network = new Network(Number(new URL(server.url).port));
      await fn(network, server);
    },
  });
}

behindNetwork(
  "when the network goes silent, calls, watchers and workers are connected anew",
  async (network, server) => {
    await using front = await BullMqBackend.connect({ redis: network.url });
    await using host = await BullMqBackend.connect({ redis: network.url });
    await using elsewhere = await BullMqBackend.connect({ redis: server.url });
    const silent = Promise.withResolvers<void>();
    const far = defineJob({ name: "far", input: { type: "object" }, run: () => silent.promise });
    const near = defineJob({
      name: "near",
      input: { type: "object" },
      run: (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    await using farWorker = createWorker(elsewhere, [far]);
    await using nearWorker = createWorker(host, [near]);
    await Promise.all([farWorker.ready, nearWorker.ready]);
    using feed = new TaskFeed(front);
    const running = (task: TaskInfo) =>
      new Promise<void>((resolve) => {
        const stop = feed.follow(task, ({ status }) => {
          if (status !== "RUNNING") return;
          stop();
          resolve();
        });
      });
    const task = await create(front, "far");
    const { id } = task;
    await running(task);
    const ended = feed.wait(id, OWNER, patience());
    await front.get(id, OWNER); // Whoever waits has read once, and hears of the rest.

    network.cut();
    await assertRejects(() => front.get(id, OWNER), BackendError);
    silent.resolve();
    await until(() => front.get(id, OWNER).then(() => true, () => false), "calls are answered again");
    assertEquals((await ended).status, "COMPLETED");
    const endless = await create(front, "near");
    await running(endless);
    const { message } = await front.cancel(endless.id, OWNER, PATIENCE_MS);
    assertEquals(message, "The task was cancelled; its work has stopped.");
  },
);

behindNetwork("a connection that goes silent before Redis has greeted it is replaced, too", async (network) => {
  const connection = closable(new Redis(network.url, { lazyConnect: true }));
  const on = (event: "connect" | "ready") => new Promise((resolve) => connection.once(event, resolve));
  withPulse(connection, { every: 100, within: 200 });
  try {
    await connection.connect();
    const [connected, ready] = [on("connect"), on("ready")];
    network.cut({ silent: true });
    await connected;
    network.mend();
    await ready;
    assertEquals(await connection.ping(), "PONG");
  } finally {
    await end(connection);
  }
});

Deno.test({
  name: `bullmq on Redis: of many tasks at once for a Redis far away none is refused${
    hasRedisServer ? "" : " (left out: install redis-server)"
  }`,
  ignore: !hasRedisServer,
  fn: async () => {
    await using server = await RedisServer.start();
    await using network = new Network(Number(new URL(server.url).port), 20);
    await using backend = await BullMqBackend.connect({ redis: network.url });
    const created = await Promise.allSettled(Array.from({ length: 300 }, () => create(backend, "waits")));
    assertEquals(created.filter(({ status }) => status === "rejected"), []);
  },
});
