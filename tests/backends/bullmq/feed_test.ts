import type { TaskEvent } from "../../../backend.ts";
import { QueueFeed } from "../../../src/backends/bullmq/feed.ts";
import { type Snapshot, toTask } from "../../../src/backends/bullmq/snapshot.ts";
import type { JobListener } from "../../../src/backends/bullmq/redis/events/events.ts";
import type { RedisRecords } from "../../../src/backends/bullmq/redis/records.ts";
import type { Signal } from "../../../src/backends/bullmq/redis/events/signals.ts";
import { newTaskId } from "../../../src/ids.ts";
import { ignored } from "../../support/errors.ts";
import { assertEquals, assertRejects, FakeTime } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { pass } from "../../support/time.ts";
import { newTask } from "../../support/tasks.ts";
import { newSnapshot } from "../support/snapshots.ts";

/** A store of one queue; `changed` is the listener that subscribed last. */
function storeOf(read: RedisRecords["read"]) {
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
  return newSnapshot(newTask({ id, resultTtl: 1 }), "job", 1);
}

Deno.test("a change whose read fails is read again, together with later changes", async () => {
  using time = new FakeTime();
  const ids = [newTaskId(), newTaskId()];
  const reads: string[] = [];
  let fails = true;
  const failed = Promise.withResolvers<void>();
  const store = storeOf((id) => {
    reads.push(id);
    if (fails) failed.resolve();
    return fails ? Promise.reject(new Error("deadlock detected")) : Promise.resolve(snapshotOf(id));
  });
  const emitted: string[] = [];
  const both = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event: TaskEvent) => {
    if (event.kind === "change" && emitted.push(event.task.id) === 2) both.resolve();
  }, ignored);
  feed.start();
  await feed.follow("job");
  const [first = "", second = ""] = ids;
  store.changed(first, "changed");
  await failed.promise;
  fails = false;
  store.changed(second, "changed");
  await pass(time, both.promise);
  await feed.close();
  assertEquals([emitted.toSorted(), reads.toSorted()], [ids, [first, first, second]]);
});

Deno.test("a read that fails after the feed was closed leaves no timer behind", async () => {
  const reading = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<undefined>();
  const store = storeOf(() => {
    reading.resolve();
    return answer.promise;
  });
  const feed = new QueueFeed(store, () => {}, ignored);
  feed.start();
  await feed.follow("job");
  store.changed(newTaskId(), "changed");
  await reading.promise;
  await feed.close();
  answer.reject(new Error("Connection is closed."));
  // The feed handles it first. If it leaves a timer behind, the test runner reports that.
  await assertRejects(() => answer.promise, Error);
});

Deno.test("a task that is stored here is emitted once without a read, even if its event comes before the answer", async () => {
  const [early, late] = [newTaskId(), newTaskId()];
  const reads: string[] = [];
  const emitted: string[] = [];
  const store = storeOf((id) => {
    reads.push(id);
    return Promise.resolve(snapshotOf(id));
  });
  const feed = new QueueFeed(store, (event) => event.kind === "change" && emitted.push(event.task.id), ignored);
  feed.start();
  await feed.follow("job");
  await feed.storing(early, () => {
    store.changed(early, "stored");
    return Promise.resolve(toTask(snapshotOf(early)));
  });
  await feed.storing(late, () => Promise.resolve(toTask(snapshotOf(late))));
  store.changed(late, "stored");
  await feed.close();
  assertEquals([emitted, reads], [[early, late], []]);
});

Deno.test("a task that is answered here is emitted once without a read, and read again after a later change", async () => {
  const id = newTaskId();
  const at = (changes: number): Snapshot => ({ ...snapshotOf(id), started: 1, changes });
  const reads: string[] = [];
  const emitted: number[] = [];
  const read = Promise.withResolvers<void>();
  const store = storeOf((id) => {
    reads.push(id);
    return Promise.resolve(at(3));
  });
  const feed = new QueueFeed(store, (event) => {
    if (event.kind === "change" && emitted.push(event.task.revision) === 2) read.resolve();
  }, ignored);
  feed.start();
  await feed.follow("job");
  assertEquals(feed.answered(at(2), true), toTask(at(2)));
  store.changed(id, "changed", 2);
  feed.answered(at(1), false); // An answer that counted for nothing has read it earlier.
  assertEquals([emitted, reads], [[toTask(at(2)).revision], []]);
  store.changed(id, "changed", 3); // Another process has answered.
  await read.promise;
  await feed.close();
  assertEquals([emitted, reads], [[toTask(at(2)).revision, toTask(at(3)).revision], [id]]);
});

Deno.test("if a task expires before its end is read, one gap is emitted; the expiry of finished tasks emits none", async () => {
  const [watched, other, last] = [newTaskId(), newTaskId(), newTaskId()];
  const gone = new Set<string>();
  const store = storeOf((id) => Promise.resolve({ ...snapshotOf(id), expired: gone.has(id) }));
  const emitted: string[] = [];
  let next = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event: TaskEvent) => {
    emitted.push(event.kind === "change" ? event.task.id : event.kind);
    next.resolve();
  }, ignored);
  const change = async (...ids: string[]) => {
    next = Promise.withResolvers();
    for (const id of ids) store.changed(id, "changed");
    await next.promise;
  };
  feed.start();
  await next.promise; // The start emits a gap, too.
  await feed.follow("job");
  await change(watched);
  gone.add(watched).add(other);
  await change(watched);
  await change(watched, other, last);
  await feed.close();
  assertEquals(emitted, ["gap", watched, "gap", last]);
});

Deno.test("a failed subscription to a queue is repeated after a reconnect, and followed by a gap", async () => {
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
  const feed = new QueueFeed(broken, ({ kind }) => kind === "gap" && gap.resolve(), ignored);
  feed.start();
  await assertRejects(() => feed.follow("job"), Error, "Redis is away.");
  subscribed.length = 0;
  away = false;
  reconnect();
  await gap.promise;
  assertEquals(subscribed, ["job"]);
  await feed.close();
});

Deno.test("what a failover has left of a task is emitted, although a later state was; what was read too early is not", async () => {
  const id = newTaskId();
  const at = (changes: number): Snapshot => ({ ...snapshotOf(id), started: 1, changes });
  const reads = [at(5), at(2)];
  const store = storeOf(() => {
    if (reads.length === 2) {
      // Another answer comes before that of this read.
      feed.answered(at(6), true);
      store.changed(id, "changed");
    }
    return Promise.resolve(reads.shift());
  });
  const emitted: number[] = [];
  const left = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event) => {
    if (event.kind === "change" && emitted.push(event.task.revision) === 3) left.resolve();
  }, ignored);
  feed.start();
  await feed.follow("job");
  feed.answered(at(5), true);
  store.changed(id, "changed");
  await left.promise;
  await feed.close();
  assertEquals(emitted, [5, 6, 2].map((changes) => toTask(at(changes)).revision));
});

Deno.test("a task that has expired, or is gone, is not emitted", async () => {
  const ids = [newTaskId(), newTaskId(), newTaskId()];
  const [old, gone, last] = ids;
  const store = storeOf((id) => Promise.resolve(id === gone ? undefined : { ...snapshotOf(id), expired: id === old }));
  const emitted: string[] = [];
  const all = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event) => {
    if (event.kind !== "change") return;
    emitted.push(event.task.id);
    if (event.task.id === last) all.resolve();
  }, ignored);
  feed.start();
  await feed.follow("job");
  for (const id of ids) store.changed(id, "changed");
  await all.promise;
  await feed.close();
  assertEquals(emitted, [last]);
});

Deno.test("a task that has started is read with its end if it ends at once, and after a moment if it goes on", async () => {
  using time = new FakeTime();
  const [short, long] = [newTaskId(), newTaskId()];
  const ended = new Set<string>();
  const reads: string[] = [];
  const store = storeOf((id) => {
    reads.push(id);
    const end = { state: "completed", started: 1, finishedOn: 2, result: "1" } as const;
    return Promise.resolve({ ...snapshotOf(id), ...(ended.has(id) ? end : { state: "active", started: 1 }) });
  });
  const emitted: string[] = [];
  const both = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event) => {
    if (event.kind === "change" && emitted.push(`${event.task.id} ${event.task.status}`) === 2) both.resolve();
  }, ignored);
  feed.start();
  await feed.follow("job");
  for (const id of [short, long]) store.changed(id, "started");
  ended.add(short);
  store.changed(short, "changed");
  await pass(time, both.promise);
  store.changed(newTaskId(), "started");
  await feed.close(); // This leaves no timer behind, or the test runner would report it.
  assertEquals([emitted, reads], [[`${short} COMPLETED`, `${long} RUNNING`], [short, long]]);
});

Deno.test("the end of a task that this process has stored is emitted with its outcome, unless that is large", async () => {
  const results = {
    small: "null",
    large: JSON.stringify("x".repeat(5_000)),
    apart: '{"mcp-jobs":1}',
    others: "1",
    early: "2",
  };
  const names = Object.keys(results) as (keyof typeof results)[];
  const ids = new Map(names.map((name) => [newTaskId(), name]));
  const store = storeOf((id, _, withResult) => {
    const name = ids.get(id);
    const result = withResult && name ? results[name] : undefined;
    return Promise.resolve({ ...snapshotOf(id), state: "completed", started: 1, finishedOn: 2, result });
  });
  const received: unknown[] = [];
  const all = Promise.withResolvers<void>();
  const feed = new QueueFeed(store, (event) => {
    if (event.kind !== "change" || event.task.status !== "COMPLETED") return;
    if (received.push([ids.get(event.task.id), event.outcome]) === names.length) all.resolve();
  }, ignored);
  feed.start();
  await feed.follow("job");
  for (const [id, name] of ids) {
    const stored = async () => {
      if (name === "early") store.changed(id, "changed"); // Its end comes before the answer to its creation.
      await Promise.resolve();
      return toTask(snapshotOf(id));
    };
    if (name !== "others") await feed.storing(id, stored);
    if (name !== "early") store.changed(id, "changed");
  }
  await all.promise;
  await feed.close();
  const noOutcome = ["large", "apart", "others"].map((name) => [name, undefined]);
  assertEquals(received, [["small", { kind: "value", value: null }], ...noOutcome, ["early", {
    kind: "value",
    value: 2,
  }]]);
});

Deno.test("after the signal of a new queue that it has subscribed to already, a feed says that it may have missed changes", async () => {
  const received: string[] = [];
  let tell: (signal: Signal) => void = () => {};
  const store = {
    ...storeOf(() => Promise.resolve(undefined)),
    onSignal: (listener: (signal: Signal) => void) => {
      tell = listener;
      return () => {};
    },
  };
  const feed = new QueueFeed(store, ({ kind }) => void received.push(kind), ignored);
  feed.start();
  await feed.follow("known");
  await until(() => received.length === 1, "it has subscribed to all queues");
  tell({ kind: "queue", queue: "new", since: 0 });
  tell({ kind: "queue", queue: "known", since: 0 });
  await until(() => received.length > 1, "it says so");
  await feed.close();
  assertEquals(received, ["gap", "gap"]);
});
