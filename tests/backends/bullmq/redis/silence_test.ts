import { Redis } from "ioredis";
import { BackendError, BullMqBackend, createWorker, defineJob } from "../../../../mod.ts";
import { closable, closeForGood } from "../../../../src/backends/bullmq/internals.ts";
import { withHeartbeat } from "../../../../src/backends/bullmq/redis/heartbeat.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { doneWithin } from "../../../../src/waiting.ts";
import { assert, assertEquals, assertRejects } from "../../../../tools/std.ts";
import { noOwnRedis, RedisServer } from "../../../../tools/redis_server.ts";
import { ignored } from "../../../support/errors.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { Network } from "../../support/network.ts";
import { newTask } from "../../../support/tasks.ts";

/** Only a test that fails waits as long. */
const TIMEOUT_MS = 120_000;

function test(name: string, fn: (network: Network, url: string) => Promise<void>): void {
  testUnless(noOwnRedis, `bullmq on Redis: ${name}`, async () => {
    await using server = await RedisServer.start();
    await using network = new Network(server.url);
    await fn(network, server.url);
  });
}

/** Calls back with a connection that is ready, and a function that resolves once something happens to it. */
async function connect(
  network: Network,
  fn: (connection: Redis, on: (event: "ready" | "end") => Promise<void>) => Promise<void>,
): Promise<void> {
  const connection = closable(new Redis<"legacy">(network.url, { lazyConnect: true }));
  withHeartbeat(connection, { every: 100, within: 200 });
  try {
    await connection.connect();
    await fn(connection, (event) => new Promise((resolve) => connection.once(event, () => resolve())));
    assertEquals(await connection.ping(), "PONG");
  } finally {
    await closeForGood(connection);
  }
}

/** Loses all connections, and loses those that follow before Redis has answered on them; later ones come through. */
async function loseTwice(network: Network, connections: number): Promise<void> {
  network.drop({ silent: true });
  await until(() => network.made >= connections, "each has connected again");
  network.mend();
}

test("a connection that goes silent before it is ready is replaced, too", (network) =>
  connect(network, async (_, on) => {
    const ready = on("ready");
    await loseTwice(network, 1);
    assert(await doneWithin(ready, TIMEOUT_MS), "it is ready again");
  }));

test("a connection that is replaced again and again while the network is silent keeps no listeners of former attempts", (network) =>
  connect(network, async (connection, on) => {
    const before = connection.listenerCount("ready");
    network.drop({ silent: true });
    await until(() => network.made >= 6, "it has been replaced five times");
    // Each attempt is checked up to three times at once.
    assert(connection.listenerCount("ready") <= before + 3, `It has ${connection.listenerCount("ready")} listeners.`);
    const ready = on("ready");
    network.mend();
    assert(await doneWithin(ready, TIMEOUT_MS), "it is ready again");
  }));

test("a connection that was closed and opened again is replaced when it goes silent, as before", (network) =>
  connect(network, async (connection, on) => {
    const ended = on("end");
    connection.disconnect();
    await ended;
    await connection.connect();
    const ready = on("ready");
    await loseTwice(network, 1);
    assert(await doneWithin(ready, TIMEOUT_MS), "it is ready again");
  }));

test("a command that is lost with its connection is an error that says so, and not which options of ioredis play a part", async (network) => {
  const options = { lazyConnect: true, maxRetriesPerRequest: 1, retryStrategy: () => 1 };
  const connection = closable(new Redis<"legacy">(network.url, options));
  connection.on("error", () => {}); // Nobody is there to connect to.
  await connection.connect();
  network.cut();
  const ping = connection.ping();
  network.refuse();
  await assertRejects(() => ping, Error, "The connection to Redis was lost before it answered.");
  await closeForGood(connection);
});

test("a worker all of whose connections go silent before they are ready takes tasks again", async (network, url) => {
  await using backend = await BullMqBackend.connect({ redis: network.url, onError: ignored });
  using feed = new TaskFeed(backend);
  const short = defineJob({ name: "short", input: { type: "object" }, run: () => "done" });
  await using worker = createWorker(backend, [short], { onError: ignored });
  await worker.ready;
  const waits = async (redis: Redis) => String(await redis.client("LIST")).includes("cmd=bzpopmin");
  const beside = new Redis(url);
  await until(() => waits(beside), "the worker waits for tasks").finally(() => beside.disconnect());
  await loseTwice(network, network.made);
  const task = newTask({ job: "short", owner: "owner" });
  await until(() => backend.create(task).then(() => true, () => false), "the task is stored");
  assertEquals((await feed.wait(task.id, "owner", AbortSignal.timeout(TIMEOUT_MS))).status, "COMPLETED");
});

test("a start with a key is given up as soon as any other call when the network goes silent", async (network) => {
  await using backend = await BullMqBackend.connect({ redis: network.url, onError: ignored });
  const start = () => backend.create(newTask({ job: "waits", owner: "owner", key: { name: "a key", window: 0 } }));
  const { id } = await start();
  network.cut({ silent: true });
  const started = start().then(() => "stored", (error) => error);
  await assertRejects(() => backend.get(id, "owner"), BackendError); // It began later, and has the same time.
  assert(await doneWithin(started, 1_000), "The start still waits.");
  assert(await started instanceof BackendError, `It is ${await started}.`);
  network.mend();
});
