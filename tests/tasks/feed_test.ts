import { assert, assertEquals, assertRejects, FakeTime } from "../../tools/std.ts";
import { type TaskEvent, TaskNotFound } from "../../backend.ts";
import { BackendError, MemoryBackend, type TaskInfo } from "../../mod.ts";
import { fromSource, presentSource } from "../../src/tasks/audit_source.ts";
import { LATE_MS, TaskFeed } from "../../src/tasks/feed.ts";
import { Rereads } from "../../src/tasks/rereads.ts";
import { newTaskId } from "../../src/ids.ts";
import { retryPolicy } from "../../src/job.ts";
import { messageOf } from "../../src/text.ts";
import { doneWithin, turn } from "../../src/waiting.ts";
import { until } from "../support/processes.ts";

const never = new AbortController().signal;

function create(backend: MemoryBackend, owner = "me"): Promise<TaskInfo> {
  const retry = retryPolicy({});
  return backend.create({ id: newTaskId(), job: "waits", owner, input: {}, resultTtl: 60_000, retry });
}

/** Starts to wait for a task, and resolves once its present state was seen. */
async function waiting(feed: TaskFeed, id: string): Promise<{ readonly wait: Promise<TaskInfo> }> {
  const seen = Promise.withResolvers<TaskInfo>();
  const wait = feed.wait(id, "me", never, seen.resolve);
  await seen.promise;
  return { wait };
}

/** A memory backend whose feed loses every change, as a broken connection does, and reports a gap on request. */
class LossyBackend extends MemoryBackend {
  readonly #listeners = new Set<(event: TaskEvent) => void>();
  /** The errors of the next reads, in order. */
  readonly failures: Error[] = [];

  override get(id: string, owner: string): Promise<TaskInfo> {
    const failure = this.failures.shift();
    return failure ? Promise.reject(failure) : super.get(id, owner);
  }

  override watch(listener: (event: TaskEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  gap(): void {
    this.emit({ kind: "gap" });
  }

  emit(event: TaskEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

Deno.test("waiting for a task resolves with its end, sees the changes before, and leaves no watcher behind", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const first = Promise.withResolvers<TaskInfo>();
  const wait = feed.wait(task.id, "me", never, first.resolve);
  assertEquals(await first.promise, task);
  assertEquals(feed.size, 1);
  const end = await backend.cancel(task.id, "me", 0);
  assertEquals(await wait, end);
  assertEquals(feed.size, 0);
});

Deno.test("whoever is told of a change is told with the source of their own request, whichever one has made it", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const told: string[] = [];
  const tell = (by: string) => () => void told.push(`${by}: ${presentSource().session}`);
  const stops = fromSource(
    { session: "mine" },
    () => [feed.watch(task, tell("watch")), feed.follow(task, tell("follow"))],
  );
  const wait = fromSource({ session: "mine" }, () => feed.waitFrom(task, { onChange: tell("wait") }));
  await fromSource({ session: "another" }, () => backend.cancel(task.id, "me", 0));
  await wait;
  for (const stop of stops) stop();
  assertEquals([...new Set(told)].sort(), ["follow: mine", "wait: mine", "watch: mine"]);
});

Deno.test("waiting for a task that has ended already resolves with its end", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const end = await backend.cancel(id, "me", 0);
  assertEquals(await feed.wait(id, "me", never), end);
});

Deno.test("waiting for an unknown or foreign task is refused, and leaves no watcher behind", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend, "somebody else");
  await assertRejects(() => feed.wait(id, "me", never), TaskNotFound);
  await assertRejects(() => feed.wait(newTaskId(), "me", never), TaskNotFound);
  assertEquals(feed.size, 0);
});

Deno.test("a wait whose signal aborts rejects with the signal's reason, and leaves no watcher behind", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const giveUp = new AbortController();
  const wait = assertRejects(() => feed.wait(id, "me", giveUp.signal), Error, "no patience");
  giveUp.abort(new Error("no patience"));
  await wait;
  await assertRejects(() => feed.wait(id, "me", giveUp.signal), Error, "no patience");
  assertEquals(feed.size, 0);
});

Deno.test("waits with one signal add one listener to it, and all that go on when it aborts reject", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const giveUp = new AbortController();
  let added = 0;
  const { addEventListener } = giveUp.signal;
  giveUp.signal.addEventListener = (...args: Parameters<AbortSignal["addEventListener"]>) => {
    added++;
    addEventListener.apply(giveUp.signal, args);
  };
  const tasks = [await create(backend), await create(backend), await create(backend)];
  const [ended, ...others] = tasks.map((task) => feed.finish(task, giveUp.signal));
  await backend.cancel(tasks[0]?.id ?? "", "me", 0);
  assertEquals((await ended)?.status, "CANCELLED");
  const rejected = others.map((wait) => assertRejects(() => wait, Error, "no patience"));
  giveUp.abort(new Error("no patience"));
  await Promise.all(rejected);
  assertEquals([added, feed.size], [1, 0]);
});

Deno.test("every follower of a task sees each change once, and another owner sees none", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const seen: TaskInfo[][] = [[], []];
  for (const list of seen) feed.follow(task, (now) => list.push(now));
  const foreign: TaskInfo[] = [];
  feed.watch({ id: task.id, owner: "stranger" }, (now) => foreign.push(now));
  const end = await backend.cancel(task.id, "me", 0);
  await feed.wait(task.id, "me", never);
  for (const list of seen) {
    assertEquals(list.at(-1), end);
    const revisions = list.map(({ revision }) => revision);
    assertEquals(revisions, [...new Set(revisions)].toSorted((a, b) => a - b));
  }
  assertEquals(foreign, []);
});

Deno.test("a follower sees no state that is older than the one it started from", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const created = await create(backend);
  const known = await backend.cancel(created.id, "me", 0);
  const seen: TaskInfo[] = [];
  const notified = Promise.withResolvers<void>();
  feed.follow(known, (now) => {
    seen.push(now);
    notified.resolve();
  });
  backend.emit({ kind: "change", task: created }); // An event of another process comes late.
  await notified.promise;
  assertEquals(seen, [known]);
});

Deno.test("a follower that unsubscribes sees nothing more, and the others are not affected", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const seen: string[] = [];
  const stop = feed.watch(task, () => seen.push("stopped"));
  feed.watch(task, () => seen.push("stays"));
  stop();
  stop();
  await backend.cancel(task.id, "me", 0);
  assertEquals(seen, ["stays"]);
});

Deno.test("after a gap every watched task is read again, so that no end is missed", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const { wait } = await waiting(feed, id);
  const end = await backend.cancel(id, "me", 0);
  backend.gap();
  assertEquals(await wait, end);
});

Deno.test("a wait ends with its task, although a failover has lost changes before the end that it has seen", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend, undefined, 20);
  const task = await create(backend);
  const wait = feed.finish(task, never);
  backend.emit({ kind: "change", task: { ...task, revision: 7 } });
  const end = await backend.cancel(task.id, "me", 0);
  assertEquals([await wait, await feed.finish(end, never)], [end, end]);
});

Deno.test("a follower sees what a failover has left of a task, although it has seen a later state", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const seen: number[] = [];
  let changed = Promise.withResolvers<void>();
  feed.follow(task, ({ revision }) => {
    seen.push(revision);
    changed.resolve();
  });
  await changed.promise;
  backend.emit({ kind: "change", task: { ...task, revision: 7 } });
  changed = Promise.withResolvers();
  backend.gap();
  await changed.promise;
  backend.emit({ kind: "change", task: { ...task, revision: 2 } });
  assertEquals(seen, [1, 7, 1, 2]);
});

Deno.test("a state that was read after a gap does not replace a later one that has come since", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const seen: number[] = [];
  const { promise: first, resolve } = Promise.withResolvers<void>();
  feed.follow(task, ({ revision }) => {
    seen.push(revision);
    resolve();
  });
  await first;
  backend.gap();
  backend.emit({ kind: "change", task: { ...task, revision: 2 } }); // Before the read that the gap has begun is answered.
  await turn();
  assertEquals(seen, [1, 2]);
});

Deno.test("a wait for a task that is gone after a gap rejects, and leaves no watcher behind", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const { wait } = await waiting(feed, id);
  backend.failures.push(new TaskNotFound(id));
  backend.gap();
  await assertRejects(() => wait, TaskNotFound);
  assertEquals(feed.size, 0);
});

Deno.test("a follower of a task that is gone after a gap is removed", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const notified = Promise.withResolvers<void>();
  const stop = feed.follow(task, () => notified.resolve());
  await notified.promise;
  backend.failures.push(new TaskNotFound(task.id));
  backend.gap();
  await until(() => feed.size === 0, "a feed without followers");
  stop();
});

Deno.test("a follower that throws as it learns that its task is gone ends no process, and the others learn it, too", async () => {
  await using backend = new LossyBackend();
  const errors: string[] = [];
  using feed = new TaskFeed(backend, (error, { where }) => void errors.push(`${where}: ${messageOf(error)}`));
  const task = await create(backend);
  feed.follow(task, ({ status }) => {
    if (status === "FAILED") throw new Error("no");
  });
  const { wait } = await waiting(feed, task.id);
  backend.failures.push(new TaskNotFound(task.id));
  backend.gap();
  await assertRejects(() => wait, TaskNotFound);
  assertEquals([errors, feed.size], [["call a listener of changes: no"], 0]);
});

Deno.test("a follower whose task cannot be read at first gets its state as soon as it can", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  await backend.cancel(task.id, "me", 0);
  backend.failures.push(new BackendError("The disk is busy."));
  const notified = Promise.withResolvers<TaskInfo>();
  feed.follow(task, notified.resolve);
  assertEquals((await notified.promise).status, "CANCELLED");
});

Deno.test("a task that cannot be read just after a gap is read again, without another gap", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const { wait } = await waiting(feed, id);
  const end = await backend.cancel(id, "me", 0);
  backend.failures.push(new BackendError("Cannot read a task: not now."));
  backend.gap();
  assertEquals(await wait, end);
});

Deno.test("a feed that is disposed of unsubscribes from its backend", async () => {
  await using backend = new MemoryBackend();
  const feed = new TaskFeed(backend);
  const task = await create(backend);
  const seen: TaskInfo[] = [];
  feed.watch(task, (now) => seen.push(now));
  feed[Symbol.dispose]();
  assert((await backend.cancel(task.id, "me", 0)).status === "CANCELLED");
  assertEquals([seen.length, feed.size], [0, 0]);
});

Deno.test("after stopWaiting all waits reject with its reason, old and new ones", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const { wait } = await waiting(feed, id);
  feed.stopWaiting(new BackendError("The server ends."));
  await assertRejects(() => wait, BackendError, "The server ends.");
  await assertRejects(() => feed.wait(id, "me", never), BackendError, "The server ends.");
  assertEquals(feed.size, 0);
});

Deno.test('after a gap another owner who watches gets "not found", and the task\'s owner continues to see changes', async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const refused = Promise.withResolvers<unknown>();
  const errors: unknown[] = [];
  const ended = Promise.withResolvers<TaskInfo>();
  feed.watch({ id: task.id, owner: "stranger" }, () => {}, refused.resolve);
  feed.watch(task, (now) => now.status === "CANCELLED" && ended.resolve(now), (error) => errors.push(error));
  backend.gap();
  assert(await refused.promise instanceof TaskNotFound);
  assertEquals([feed.size, errors], [1, []]);
  const end = await backend.cancel(task.id, "me", 0);
  backend.gap();
  assertEquals(await ended.promise, end);
});

Deno.test("a feed that is disposed of reads nothing, however many gaps there were", async () => {
  await using backend = new LossyBackend();
  const feed = new TaskFeed(backend);
  const task = await create(backend);
  feed.watch(task, () => {});
  backend.failures.push(...[1, 2].map(() => new BackendError("Cannot read a task: not now.")));
  backend.gap();
  backend.gap();
  await backend.get(task.id, "me");
  feed[Symbol.dispose](); // A timer that is left would fail this test.
  assertEquals([feed.size, backend.failures.length], [0, 0]);
});

Deno.test("watched tasks without events are read again, in batches, so that no wait lasts for ever", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend, undefined, 20);
  const tasks = await Promise.all(Array.from({ length: 250 }, () => create(backend)));
  const waits = tasks.map(({ id }) => feed.wait(id, "me", never));
  const ends = await Promise.all(tasks.map(({ id }) => backend.cancel(id, "me", 0)));
  assertEquals(await Promise.all(waits), ends); // No event has told of them.
  assertEquals(feed.size, 0);
});

Deno.test("when the store loses a task without an event, waits reject, and followers see that it failed", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend, undefined, 20);
  const task = await create(backend);
  const { wait } = await waiting(feed, task.id);
  const seen = Promise.withResolvers<TaskInfo>();
  feed.follow(task, (now) => now.status === "FAILED" && seen.resolve(now));
  backend.get = (id) => Promise.reject(new TaskNotFound(id));
  await assertRejects(() => wait, TaskNotFound);
  const { status, message, revision } = await seen.promise;
  assertEquals([status, message, revision], ["FAILED", new TaskNotFound(task.id).message, task.revision + 1]);
  assertEquals(feed.size, 0);
});

Deno.test("a watched task is read once per interval for all its watchers, and not at all while events arrive", async () => {
  using time = new FakeTime(0);
  const reads: [name: string, at: number][] = [];
  using rereads = new Rereads(
    (name: string) => Promise.resolve(void reads.push([name, time.now])),
    30_000,
    () => time.now,
  );
  const busy = setInterval(() => rereads.saw("busy"), 20_000);
  rereads.saw("busy");
  for (let watchers = 0; watchers < 5; watchers++) rereads.saw("quiet");
  for (let s = 0; s < 100; s++) await time.tickAsync(1_000);
  clearInterval(busy);
  assertEquals(reads, [["quiet", 30_000], ["quiet", 60_000], ["quiet", 90_000]]);
  rereads.forget("quiet");
  rereads.forget("busy");
  assertEquals(time.next(), false, "No timer is left.");
});

Deno.test("owner names and ids that concatenate to the same text are different tasks", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend, "b c");
  const foreign: TaskInfo[] = [];
  feed.watch({ id: `${task.id} b`, owner: "c" }, (now) => foreign.push(now));
  backend.emit({ kind: "change", task });
  assertEquals(foreign, []);
});

Deno.test("a wait for a task that was just stored reads nothing where its events have come, and reads after a gap", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  let reads = 0;
  const get = backend.get.bind(backend);
  backend.get = (id, owner) => {
    reads++;
    return get(id, owner);
  };
  const end = await backend.cancel(task.id, "me", 0);
  reads = 0;
  backend.emit({ kind: "change", task });
  backend.emit({ kind: "change", task: end });
  backend.emit({ kind: "change", task }); // An event of another process comes late.
  assertEquals([await feed.finish(task, never), reads], [end, 0]);
  backend.gap();
  assertEquals([await feed.finish(task, never), reads], [end, 1]);
});

Deno.test("a wait for a task that was read as finished is over, although the last event was of an earlier state", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  backend.emit({ kind: "change", task });
  const end = await backend.cancel(task.id, "me", 0);
  const waits = feed.finish(end, never);
  assert(await doneWithin(waits, 5_000), "The wait goes on.");
  assertEquals(await waits, end);
});

Deno.test("a wait with a time limit ends at a shutdown as if its time had passed, unless the task ends with the process", async () => {
  for (const isVolatile of [false, true]) {
    await using backend = new class extends MemoryBackend {
      override readonly volatile = isVolatile;
    }();
    using feed = new TaskFeed(backend);
    const task = await create(backend);
    const ended = feed.waitFrom(task, { ms: 60_000 }).catch(messageOf);
    feed.stopWaiting(new Error("The server shuts down."));
    assertEquals(await ended, isVolatile ? "The server shuts down." : task);
  }
});

Deno.test("a wait ends with its time, or with a change that is enough, and leaves no watcher behind", async () => {
  using time = new FakeTime();
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const changed: TaskInfo = { ...task, revision: 2, progress: 0.5 };
  const seen: TaskInfo[] = [];
  const wait = feed.waitFrom(task, { signal: never, ms: 1_000, onChange: (now) => seen.push(now) });
  await time.tickAsync(999);
  backend.emit({ kind: "change", task: changed });
  await time.tickAsync(1);
  assertEquals([await wait, seen, feed.size], [changed, [task, changed], 0]);
  const enough = feed.waitFrom(task, { signal: never, condition: ({ progress }) => progress !== 0.6 });
  const next: TaskInfo = { ...changed, revision: 3, progress: 0.6 };
  backend.emit({ kind: "change", task: next });
  assertEquals([await enough, feed.size, time.next()], [next, 0, false]);
});

/** Stands still, as a process that is stopped or overloaded does, for longer than a wait is merely late. */
function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LATE_MS + 10);
}

Deno.test("a wait whose time passes while the process stands still resolves with the end that its task has reached", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const end = await backend.cancel(task.id, "me", 0); // Its event is still on the way.
  backend.emit({ kind: "change", task });
  const wait = feed.waitFrom(task, { signal: never, ms: 1 });
  standStill();
  assertEquals([await wait, feed.size], [end, 0]);
});

Deno.test("a wait whose time passes while the process stands still ends with what it knows if the store fails", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  backend.emit({ kind: "change", task });
  backend.failures.push(new BackendError("The store is down."));
  const wait = feed.waitFrom(task, { signal: never, ms: 1 });
  standStill();
  assertEquals([await wait, feed.size, backend.failures], [task, 0, []]);
});
