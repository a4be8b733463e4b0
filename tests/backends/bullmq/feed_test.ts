import type { TaskEvent } from "../../../backend.ts";
import { QueueFeed } from "../../../src/backends/bullmq/feed.ts";
import { newSnapshot } from "../../../src/backends/bullmq/new_task.ts";
import { type Snapshot, toTask } from "../../../src/backends/bullmq/snapshot.ts";
import type { JobListener } from "../../../src/backends/bullmq/redis/events.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

/** A store of one queue; `changed` is the listener that subscribed last. */
function storeOf(read: (id: string) => Promise<Snapshot | undefined>) {
  const store = {
    changed: ((): void => {}) as JobListener,
    records: { queues: () => Promise.resolve([]), read },
    onSignal: () => () => {},
    onReconnect: () => {},
    subscribe: (_queue: string, changed: JobListener) => {
      store.changed = changed;
      return Promise.resolve({ close: () => Promise.resolve() });
    },
  };
  return store;
}

function snapshotOf(id: string): Snapshot {
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  return newSnapshot({ id, job: "job", owner: "ann", input: {}, resultTtl: 1, retry }, "job", 1);
}

Deno.test("a change that could not be read is read again, together with those that came meanwhile", async () => {
  const ids = [newTaskId(), newTaskId()];
  const reads: string[] = [];
  let fails = true;
  const failed = Promise.withResolvers<void>();
  const store = storeOf((id) => {
    reads.push(id);
    if (fails) failed.resolve();
    return fails ? Promise.reject(new Error("deadlock detected")) : Promise.resolve(snapshotOf(id));
  });
  const told: string[] = [];
  const both = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event: TaskEvent) => {
    if (event.kind === "change" && told.push(event.task.id) === 2) both.resolve();
  });
  feed.start();
  await feed.follow("job");
  const [first = "", second = ""] = ids;
  store.changed(first, false);
  await failed.promise;
  fails = false;
  store.changed(second, false);
  await both.promise;
  await feed.close();
  assertEquals([told.toSorted(), reads.toSorted()], [ids, [first, first, second]]);
});

Deno.test("a read that fails after the feed was closed leaves no timer behind", async () => {
  const reading = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<undefined>();
  const store = storeOf(() => {
    reading.resolve();
    return answer.promise;
  });
  const feed = new QueueFeed(store, () => {});
  feed.start();
  await feed.follow("job");
  store.changed(newTaskId(), false);
  await reading.promise;
  await feed.close();
  answer.reject(new Error("Connection is closed."));
  // The feed hears of it first. What it then leaves behind, the test runner finds.
  await assertRejects(() => answer.promise, Error);
});

Deno.test("a task that is stored here is told once and not read, also if its event comes before the answer", async () => {
  const [early, late] = [newTaskId(), newTaskId()];
  const reads: string[] = [];
  const told: string[] = [];
  const store = storeOf((id) => {
    reads.push(id);
    return Promise.resolve(snapshotOf(id));
  });
  const feed = new QueueFeed(store, (event) => event.kind === "change" && told.push(event.task.id));
  feed.start();
  await feed.follow("job");
  await feed.storing(early, () => {
    store.changed(early, true);
    return Promise.resolve(toTask(snapshotOf(early)));
  });
  await feed.storing(late, () => Promise.resolve(toTask(snapshotOf(late))));
  store.changed(late, true);
  await feed.close();
  assertEquals([told, reads], [[early, late], []]);
});

Deno.test("the end of a task that has expired before it was read is told as a gap, once; others' expiry is not", async () => {
  const [watched, other, last] = [newTaskId(), newTaskId(), newTaskId()];
  const gone = new Set<string>();
  const store = storeOf((id) => Promise.resolve({ ...snapshotOf(id), expired: gone.has(id) }));
  const told: string[] = [];
  let hear = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event: TaskEvent) => {
    told.push(event.kind === "change" ? event.task.id : event.kind);
    hear.resolve();
  });
  const heard = async (...ids: string[]) => {
    hear = Promise.withResolvers();
    for (const id of ids) store.changed(id, false);
    await hear.promise;
  };
  feed.start();
  await hear.promise; // That it listens is a gap, too.
  await feed.follow("job");
  await heard(watched);
  gone.add(watched).add(other);
  await heard(watched);
  await heard(watched, other, last);
  await feed.close();
  assertEquals(told, ["gap", watched, "gap", last]);
});

Deno.test("a queue that could not be listened to is listened to once the store is back, which is told as a gap", async () => {
  const store = storeOf(() => Promise.resolve(undefined));
  let reconnect = () => {};
  let away = true;
  const subscribed: string[] = [];
  const { subscribe } = store;
  const broken = {
    ...store,
    records: { ...store.records, queues: () => Promise.resolve(["job"]) },
    onReconnect: (listener: () => void) => void (reconnect = listener),
    subscribe: (queue: string, changed: JobListener) => {
      subscribed.push(queue);
      return away ? Promise.reject(new Error("Redis is away.")) : subscribe(queue, changed);
    },
  };
  const gap = Promise.withResolvers<void>();
  const feed = new QueueFeed(broken, ({ kind }) => kind === "gap" && gap.resolve());
  feed.start();
  await assertRejects(() => feed.follow("job"), Error, "Redis is away.");
  subscribed.length = 0;
  away = false;
  reconnect();
  await gap.promise;
  assertEquals(subscribed, ["job"]);
  await feed.close();
});

Deno.test("what has expired, or is gone, is told to nobody", async () => {
  const ids = [newTaskId(), newTaskId(), newTaskId()];
  const [old, gone, last] = ids;
  const store = storeOf((id) => Promise.resolve(id === gone ? undefined : { ...snapshotOf(id), expired: id === old }));
  const told: string[] = [];
  const all = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event) => {
    if (event.kind !== "change") return;
    told.push(event.task.id);
    if (event.task.id === last) all.resolve();
  });
  feed.start();
  await feed.follow("job");
  for (const id of ids) store.changed(id, false);
  await all.promise;
  await feed.close();
  assertEquals(told, [last]);
});
