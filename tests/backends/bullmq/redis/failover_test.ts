import { Redis } from "ioredis";
import { Socket } from "node:net";
import { BullMqBackend, createWorker, defineJob } from "../../../../mod.ts";
import { inTime } from "../../../../src/backends/shared/deadline.ts";
import { closable, closeForGood } from "../../../../src/backends/bullmq/internals.ts";
import { transactionsOn } from "../../../../src/backends/bullmq/redis/transaction.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { noOwnRedis, RedisServer } from "../../../../tools/redis_server.ts";
import { until } from "../../../support/processes.ts";
import { Network } from "../../support/network.ts";
import { newTask } from "../../../support/tasks.ts";
import { testUnless } from "../../../support/test_unless.ts";

const OWNER = "owner";

/** Only a failing test waits this long. */
const patience = () => AbortSignal.timeout(60_000);

/** A Redis with a replica, and the network before them. */
interface Place {
  readonly network: Network;
  readonly first: Redis;
  /** Makes the replica the master; all connections stay open. */
  readonly failOver: () => Promise<void>;
}

function test(name: string, fn: (place: Place) => Promise<void>): void {
  testUnless(
    noOwnRedis,
    `bullmq on Redis: ${name}`,
    async () => {
      await using one = await RedisServer.start();
      await using other = await RedisServer.start();
      const [from, to] = [one, other].map(({ url }) => Number(new URL(url).port));
      await using network = new Network(one.url);
      const [first, second] = [new Redis(one.url), new Redis(other.url)];
      const failOver = async () => {
        await second.replicaof("NO", "ONE");
        await first.replicaof("127.0.0.1", to ?? 0);
        network.leadTo(other.url);
      };
      try {
        await second.replicaof("127.0.0.1", from ?? 0);
        await until(async () => (await second.info("replication")).includes("link_status:up"), "the replica is there");
        await fn({ network, first, failOver });
      } finally {
        first.disconnect();
        second.disconnect();
      }
    },
  );
}

test("after a failover that keeps old connections open, all move to the new master", async (place) => {
  const { network, first, failOver } = place;
  await using backend = await BullMqBackend.connect({ redis: network.url });
  using feed = new TaskFeed(backend);
  const create = (job: string) => {
    return backend.create(newTask({ job, owner: OWNER }));
  };
  const short = defineJob({ name: "short", input: { type: "object" }, run: () => "done" });
  await using worker = createWorker(backend, [short]);
  await worker.ready;
  assertEquals((await feed.wait((await create("short")).id, OWNER, patience())).status, "COMPLETED");

  await failOver();
  await until(() => create("late").then(() => true, () => false), "tasks are stored again");
  const task = await create("short");
  assertEquals((await feed.wait(task.id, OWNER, patience())).status, "COMPLETED");
  // This includes connections that only subscribe, and get no error.
  const others = async () => {
    const lists = [first.client("LIST", "TYPE" as "ID", "normal"), first.client("LIST", "TYPE" as "ID", "pubsub")];
    const own = `id=${await first.client("ID")} `;
    return (await Promise.all(lists)).join("").split("\n").filter((line) => line !== "" && !line.startsWith(own));
  };
  await until(async () => (await others()).length === 0, "nobody is left at the old one");
  assertEquals((await feed.wait((await create("short")).id, OWNER, patience())).status, "COMPLETED");
});

test("after a replica refuses a transaction, the connection leads to the new master", async (place) => {
  const { network, failOver } = place;
  const client = closable(new Redis<"legacy">(network.url));
  client.defineCommand("put", { numberOfKeys: 1, lua: `return redis.call("SET", KEYS[1], ARGV[1])` });
  const put = () => transactionsOn(client)(false).runText("put", ["key", "value"]).exec();
  try {
    assertEquals((await put())[0]?.error, undefined);
    await failOver();
    const ready = inTime(new Promise((resolve) => client.once("ready", resolve)), "it stays at the replica", 120_000);
    const [refused] = await put();
    assertEquals(refused?.error?.message.includes("READONLY"), true);
    await ready;
    assertEquals((await put())[0]?.error, undefined);
  } finally {
    await closeForGood(client);
  }
});

test("many commands that a replica refuses at once add one listener to the socket that they leave", async (place) => {
  const { network, failOver } = place;
  const reconnectOnError = () => true;
  const client = closable(new Redis<"legacy">(network.url, { reconnectOnError }));
  try {
    await client.ping();
    const socket: unknown = Reflect.get(client, "stream");
    assert(socket instanceof Socket);
    let added = 0; // Not how many there are, since the socket may close, and lose some, before the last answer is told.
    socket.on("newListener", (event) => event === "close" && added++);
    await failOver();
    await Promise.allSettled(Array.from({ length: 20 }, () => client.set("key", "value")));
    assertEquals(added, 1);
    await until(() => client.set("key", "value").then(() => true, () => false), "it has moved to the new master");
  } finally {
    await closeForGood(client);
  }
});
