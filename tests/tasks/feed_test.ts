import { assert, assertEquals, assertRejects } from "../../tools/std.ts";
import { type TaskEvent, TaskNotFound } from "../../backend.ts";
import { BackendError, MemoryBackend, type TaskInfo } from "../../mod.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";
import { Rereads } from "../../src/tasks/rereads.ts";
import { newTaskId } from "../../src/ids.ts";
import { retryPolicy } from "../../src/job.ts";
import { until } from "../support/processes.ts";

const never = new AbortController().signal;

function create(backend: MemoryBackend, owner = "me"): Promise<TaskInfo> {
  const retry = retryPolicy({});
  return backend.create({ id: newTaskId(), job: "waits", owner, input: {}, resultTtl: 60_000, retry });
}

/** Begins to wait for a task, and is here once its present state was seen. */
async function waiting(feed: TaskFeed, id: string): Promise<{ readonly wait: Promise<TaskInfo> }> {
  const seen = Promise.withResolvers<TaskInfo>();
  const wait = feed.wait(id, "me", never, seen.resolve);
  await seen.promise;
  return { wait };
}

/** A memory backend whose feed loses every change, as a broken connection does, and says so when it is told to. */
class LossyBackend extends MemoryBackend {
  readonly #listeners = new Set<(event: TaskEvent) => void>();
  /** What a reading meets next, first to last. */
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
    this.tell({ kind: "gap" });
  }

  tell(event: TaskEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

Deno.test("who waits gets the end, sees the changes on the way, and is forgotten then", async () => {
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

Deno.test("who comes after the end gets it, too", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const end = await backend.cancel(id, "me", 0);
  assertEquals(await feed.wait(id, "me", never), end);
});

Deno.test("who waits for an unknown or a foreign task is refused, and forgotten", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend, "somebody else");
  await assertRejects(() => feed.wait(id, "me", never), TaskNotFound);
  await assertRejects(() => feed.wait(newTaskId(), "me", never), TaskNotFound);
  assertEquals(feed.size, 0);
});

Deno.test("who gives up gets the reason of his signal, and is forgotten", async () => {
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

Deno.test("all who follow a task hear of each change once, and a stranger of none", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const heard: TaskInfo[][] = [[], []];
  for (const list of heard) feed.follow(task, (now) => list.push(now));
  const foreign: TaskInfo[] = [];
  feed.watch({ id: task.id, owner: "stranger" }, (now) => foreign.push(now));
  const end = await backend.cancel(task.id, "me", 0);
  await feed.wait(task.id, "me", never);
  for (const list of heard) {
    assertEquals(list.at(-1), end);
    const revisions = list.map(({ revision }) => revision);
    assertEquals(revisions, [...new Set(revisions)].toSorted((a, b) => a - b));
  }
  assertEquals(foreign, []);
});

Deno.test("who follows a task hears of no state that is older than the one he knows", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const created = await create(backend);
  const known = await backend.cancel(created.id, "me", 0);
  const heard: TaskInfo[] = [];
  const told = Promise.withResolvers<void>();
  feed.follow(known, (now) => {
    heard.push(now);
    told.resolve();
  });
  backend.tell({ kind: "change", task: created }); // An event of another process comes late.
  await told.promise;
  assertEquals(heard, [known]);
});

Deno.test("who has stopped following hears nothing more, and leaves the others in peace", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const heard: string[] = [];
  const stop = feed.watch(task, () => heard.push("stopped"));
  feed.watch(task, () => heard.push("stays"));
  stop();
  stop();
  await backend.cancel(task.id, "me", 0);
  assertEquals(heard, ["stays"]);
});

Deno.test("after a gap every watched task is read anew, so that no end is missed", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const { wait } = await waiting(feed, id);
  const end = await backend.cancel(id, "me", 0);
  backend.gap();
  assertEquals(await wait, end);
});

Deno.test("who waits for a task that is gone after a gap is told so, and forgotten", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const { wait } = await waiting(feed, id);
  backend.failures.push(new TaskNotFound(id));
  backend.gap();
  await assertRejects(() => wait, TaskNotFound);
  assertEquals(feed.size, 0);
});

Deno.test("a follower of a task that is gone after a gap is forgotten", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  const told = Promise.withResolvers<void>();
  const stop = feed.follow(task, () => told.resolve());
  await told.promise;
  backend.failures.push(new TaskNotFound(task.id));
  backend.gap();
  await until(() => Promise.resolve(feed.size === 0), "a feed without followers");
  stop();
});

Deno.test("a follower whose task cannot be read at first hears where it stands once it can", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend);
  await backend.cancel(task.id, "me", 0);
  backend.failures.push(new BackendError("The disk is busy."));
  const told = Promise.withResolvers<TaskInfo>();
  feed.follow(task, told.resolve);
  assertEquals((await told.promise).status, "CANCELLED");
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

Deno.test("a feed that is disposed of no longer listens", async () => {
  await using backend = new MemoryBackend();
  const feed = new TaskFeed(backend);
  const task = await create(backend);
  const heard: TaskInfo[] = [];
  feed.watch(task, (now) => heard.push(now));
  feed[Symbol.dispose]();
  assert((await backend.cancel(task.id, "me", 0)).status === "CANCELLED");
  assertEquals([heard.length, feed.size], [0, 0]);
});

Deno.test("who waits once nobody may wait any longer gets the reason, as who waited before", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const { id } = await create(backend);
  const { wait } = await waiting(feed, id);
  feed.stopWaiting(new BackendError("The server ends."));
  await assertRejects(() => wait, BackendError, "The server ends.");
  await assertRejects(() => feed.wait(id, "me", never), BackendError, "The server ends.");
  assertEquals(feed.size, 0);
});

Deno.test("after a gap a stranger who watches is told that there is nothing, and the owner hears on", async () => {
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

Deno.test("a feed that is disposed of reads nothing again, however many gaps there were", async () => {
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

Deno.test("what is watched and not heard of is read again, in batches, so that nobody waits for ever", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend, 20);
  const tasks = await Promise.all(Array.from({ length: 250 }, () => create(backend)));
  const waits = tasks.map(({ id }) => feed.wait(id, "me", never));
  const ends = await Promise.all(tasks.map(({ id }) => backend.cancel(id, "me", 0)));
  assertEquals(await Promise.all(waits), ends); // No event has told of them.
  assertEquals(feed.size, 0);
});

Deno.test("who waits for a task that its store has lost is told so, though no event came; who follows it, that it failed", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend, 20);
  const task = await create(backend);
  const { wait } = await waiting(feed, task.id);
  const heard = Promise.withResolvers<TaskInfo>();
  feed.follow(task, (now) => now.status === "FAILED" && heard.resolve(now));
  backend.get = (id) => Promise.reject(new TaskNotFound(id));
  await assertRejects(() => wait, TaskNotFound);
  const { status, message, revision } = await heard.promise;
  assertEquals([status, message, revision], ["FAILED", new TaskNotFound(task.id).message, task.revision + 1]);
  assertEquals(feed.size, 0);
});

Deno.test("a watched task is read once in its time, however many watch it, and not at all while events come", async () => {
  const reads: string[] = [];
  let saw = Promise.withResolvers<void>();
  using rereads = new Rereads((name: string) => {
    reads.push(name);
    if (name === "quiet") saw.resolve();
    return Promise.resolve();
  }, 30);
  const busy = setInterval(() => rereads.saw("busy"), 1);
  for (let round = 0; round < 3; round++) {
    for (let watchers = 0; watchers < 5; watchers++) rereads.saw("quiet");
    await saw.promise;
    saw = Promise.withResolvers();
  }
  clearInterval(busy);
  rereads.forget("quiet");
  rereads.forget("busy"); // A timer that is left would fail this test.
  assertEquals(reads.filter((name) => name === "quiet").length, 3);
});

Deno.test("the same text as an id of one owner and as part of another's name is no task of both", async () => {
  await using backend = new LossyBackend();
  using feed = new TaskFeed(backend);
  const task = await create(backend, "b c");
  const foreign: TaskInfo[] = [];
  feed.watch({ id: `${task.id} b`, owner: "c" }, (now) => foreign.push(now));
  backend.tell({ kind: "change", task });
  assertEquals(foreign, []);
});
