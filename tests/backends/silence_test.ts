import { type Backend, BackendError, BullMqBackend, createWorker, defineJob } from "../../mod.ts";
import { PostgresBackend, type TaskInfo, TaskNotFound } from "../../mod.ts";
import { firstIdOf, newTaskId } from "../../src/ids.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";
import { noOwnPostgres } from "../../tools/postgres_server.ts";
import { noOwnRedis, RedisServer } from "../../tools/redis_server.ts";
import { assert, assertEquals, assertRejects } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { emptyTables, ownPostgres } from "../support/postgres.ts";
import { testUnless } from "../support/test_unless.ts";
import { Network } from "./support/network.ts";
import { newTask } from "../support/tasks.ts";

const OWNER = "owner";

/** Only a test that fails waits as long. */
const TIMEOUT_MS = 60_000;
const timeout = () => AbortSignal.timeout(TIMEOUT_MS);

function create(backend: Backend, job: string, id = newTaskId()): Promise<TaskInfo> {
  return backend.create(newTask({ id, job, owner: OWNER }));
}

/** An id as a process makes it at a time by its clock, in ms since the epoch. */
function idMadeAt(time: number): string {
  return firstIdOf(time).slice(0, 19) + newTaskId().slice(19);
}

/** A server behind a network of so many ms, and connections to it, through the network unless `beside` it. */
interface Place {
  readonly network: Network;
  connect(how?: { readonly beside: boolean }): Promise<Backend>;
}

/** Registers a case that holds on Redis and on PostgreSQL. */
function behindNetwork(name: string, delay: number, fn: (place: Place) => Promise<void>): void {
  testUnless(noOwnRedis, `Redis: ${name}`, async () => {
    await using server = await RedisServer.start();
    await using network = new Network(server.url, delay);
    const connect: Place["connect"] = ({ beside } = { beside: false }) =>
      BullMqBackend.connect({ redis: beside ? server.url : network.url });
    await fn({ network, connect });
  });
  testUnless(noOwnPostgres, `PostgreSQL: ${name}`, async () => {
    const url = await emptyTables(ownPostgres);
    await using network = new Network(url, delay);
    const connect: Place["connect"] = ({ beside } = { beside: false }) =>
      PostgresBackend.connect({ url: beside ? url : network.url });
    await fn({ network, connect });
  });
}

behindNetwork("when the network goes silent, calls, watchers and workers are connected anew", 0, async (place) => {
  await using front = await place.connect();
  await using host = await place.connect();
  await using elsewhere = await place.connect({ beside: true });
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
  const ended = feed.wait(id, OWNER, timeout());
  await front.get(id, OWNER); // Whoever waits has read once, and hears of the rest.

  place.network.cut();
  // A call fails in time, unless it opens a new connection anyway, as a pool may.
  await front.get(id, OWNER).catch((error) => assert(error instanceof BackendError));
  silent.resolve();
  await until(() => front.get(id, OWNER).then(() => true, () => false), "calls are answered again");
  assertEquals((await ended).status, "COMPLETED");
  const endless = await create(front, "near");
  await running(endless);
  const { message } = await front.cancel(endless.id, OWNER, TIMEOUT_MS);
  assertEquals(message, "The task was cancelled; its work has stopped.");
});

behindNetwork(
  "what a call was refused for in a silent network is not carried out once that is mended",
  0,
  async (place) => {
    await using front = await place.connect();
    await using beside = await place.connect({ beside: true });
    const { network } = place;
    const first = await create(front, "waits");
    const mend = network.hold();
    const id = newTaskId();
    await assertRejects(() => create(front, "waits", id), BackendError);
    await until(async () => {
      await front.get(first.id, OWNER).catch((error) => assert(error instanceof BackendError));
      return network.stuck === 0 && network.refused >= 6;
    }, "every connection that has got no answer is replaced, and nothing is sent again");
    await mend();
    await until(() => front.get(first.id, OWNER).then(() => true, () => false), "calls are answered again");
    await assertRejects(() => beside.get(id, OWNER), TaskNotFound);
  },
);

behindNetwork(
  "a backend that is closed resets no connection, which the database would log",
  0,
  async ({ network, connect }) => {
    const backend = await connect();
    const worker = createWorker(backend, [defineJob({ name: "idle", input: { type: "object" }, run: () => {} })]);
    await worker.ready;
    using feed = new TaskFeed(backend);
    const { id } = await create(backend, "idle");
    await feed.wait(id, OWNER, timeout());
    await worker.close();
    await backend.close();
    await until(() => !network.left.includes(undefined), "all connections are closed");
    assertEquals(network.left.filter((left) => left !== "closed"), []);
  },
);

for (const clock of ["", ", also if this machine's clock is ahead of the server's"]) {
  behindNetwork(`of many tasks at once for a server far away none is refused${clock}`, 20, async (place) => {
    await using backend = await place.connect();
    const idOf = (index: number) => clock === "" ? newTaskId() : idMadeAt(Date.now() + 10_000 + 10 * index);
    const created = await Promise.allSettled(
      Array.from({ length: 400 }, (_, index) => create(backend, "waits", idOf(index))),
    );
    assertEquals(created.filter(({ status }) => status === "rejected"), []);
  });
}
