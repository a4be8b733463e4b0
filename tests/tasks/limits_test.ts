import type { NewTask, TaskEvent } from "../../backend.ts";
import {
  AsyncToolServer,
  BackendError,
  DefinitionError,
  MemoryBackend,
  PollingExposureStrategy,
  type TaskInfo,
} from "../../mod.ts";
import { RateLimit, withDefaults } from "../../src/tasks/limits.ts";
import { OpenTasks } from "../../src/tasks/open_tasks.ts";
import { newTaskId } from "../../src/ids.ts";
import { assert, assertEquals, assertThrows } from "../../tools/std.ts";

function newTask(owner: string, id = newTaskId()): NewTask {
  return { id, job: "job", owner, input: {}, resultTtl: 1_000, retry: { attempts: 1, delay: 0, maxDelay: 0 } };
}

Deno.test("a rate allows the uses of a minute at once, and one more after each share of a minute", () => {
  const rate = new RateLimit(3);
  assertEquals([0, 0, 0, 0].map(() => rate.take("ann", 1_000)), [0, 0, 0, 20_000]);
  assertEquals(rate.take("ann", 20_999), 1);
  assertEquals([21_000, 21_000].map((now) => rate.take("ann", now)), [0, 20_000]);
  assertEquals([0, 0, 0, 0].map(() => rate.take("ann", 3_600_000)), [0, 0, 0, 20_000]);
});

Deno.test("each owner has a rate of their own, and a clock that is set back adds no uses", () => {
  const rate = new RateLimit(1);
  assertEquals([rate.take("ann", 60_000), rate.take("bob", 60_000)], [0, 0]);
  assert(rate.take("ann", 0) > 0);
});

Deno.test("after a clock is set back, the uses of a minute are available a minute later", () => {
  const rate = new RateLimit(1);
  assertEquals([rate.take("ann", 7_200_000), rate.take("ann", 0), rate.take("ann", 60_000)], [0, 60_000, 0]);
});

Deno.test("an owner who has been inactive for a minute is forgotten once there are many owners", () => {
  const rate = new RateLimit(1);
  for (let i = 0; i < 10_000; i++) rate.take(`owner ${i}`, 0);
  assertEquals(rate.size, 10_000);
  rate.take("late", 60_000);
  assertEquals(rate.size, 1);
});

Deno.test("while many owners are active, the inactive ones are forgotten only each time that the number has doubled", () => {
  const rate = new RateLimit(1);
  for (let i = 0; i <= 10_000; i++) rate.take(`owner ${i}`, 0); // The last one finds that all are active.
  for (let i = 10_001; i < 20_000; i++) rate.take(`owner ${i}`, 60_000);
  assertEquals(rate.size, 20_000);
  rate.take("late", 60_000);
  assertEquals(rate.size, 10_000);
});

Deno.test("an active owner is not forgotten, however many owners there are", () => {
  const rate = new RateLimit(1);
  for (let i = 0; i < 9_999; i++) rate.take(`owner ${i}`, 0);
  assertEquals(rate.take("ann", 59_000), 0);
  rate.take("late", 60_000);
  assertEquals(rate.size, 2);
  assertEquals(rate.take("ann", 60_000), 59_000);
});

Deno.test("an infinite rate never refuses", () => {
  const rate = new RateLimit(Infinity);
  assertEquals([...Array(1_000)].map(() => rate.take("ann", 0)).filter((wait) => wait > 0), []);
});

Deno.test("a limit that is not a number from 1 is refused when the server is created", () => {
  const parts = {
    name: "test",
    version: "1.0.0",
    backend: new MemoryBackend(),
    strategy: new PollingExposureStrategy(),
  };
  for (const openTasks of [0, -1, NaN]) {
    const expected = `Cannot use ${openTasks} as limits.openTasks of AsyncToolServer`;
    assertThrows(() => new AsyncToolServer({ ...parts, limits: { openTasks } }), DefinitionError, expected);
  }
  assertEquals(withDefaults({ openTasks: Infinity, ttl: undefined }), { ...withDefaults(), openTasks: Infinity });
});

Deno.test("open tasks are those that were in the store and those created since, without those that have ended", async () => {
  await using backend = new MemoryBackend();
  const before = await backend.create(newTask("ann"));
  await backend.create(newTask("bob"));
  using open = new OpenTasks(backend, 2, Date.now);
  const id = newTaskId();
  assertEquals(await open.reserve("ann", id), true);
  await backend.create(newTask("ann", id));
  assertEquals(await open.reserve("ann", newTaskId()), false);
  await backend.cancel(before.id, "ann", 0);
  assertEquals(await open.reserve("ann", newTaskId()), true);
  assertEquals(await open.reserve("bob", newTaskId()), true);
});

Deno.test("a released reservation is free again", async () => {
  await using backend = new MemoryBackend();
  using open = new OpenTasks(backend, 1, Date.now);
  const id = newTaskId();
  assertEquals(await open.reserve("ann", id), true);
  assertEquals(await open.reserve("ann", newTaskId()), false);
  open.release("ann", id);
  assertEquals(await open.reserve("ann", newTaskId()), true);
});

Deno.test("of many creations at once only as many succeed as the limit allows", async () => {
  await using backend = new MemoryBackend();
  using open = new OpenTasks(backend, 5, Date.now);
  const got = await Promise.all(Array.from({ length: 20 }, () => open.reserve("ann", newTaskId())));
  assertEquals(got.filter(Boolean).length, 5);
});

Deno.test("a task that ends during the count is not counted as open", async () => {
  const listed = Promise.withResolvers<{ tasks: readonly TaskInfo[] }>();
  let emit: (event: TaskEvent) => void = () => {};
  const backend = {
    list: () => listed.promise,
    watch: (listener: (event: TaskEvent) => void) => {
      emit = listener;
      return () => {};
    },
  };
  using open = new OpenTasks(backend, 1, () => 0);
  const reserving = open.reserve("ann", newTaskId());
  const running = { id: newTaskId(), job: "job", owner: "ann", revision: 2, attempt: 1 };
  const times = { createdAt: 0, updatedAt: 0, resultTtl: 1 };
  emit({
    kind: "change",
    task: { ...running, ...times, revision: 3, status: "COMPLETED", finishedAt: 0 },
  });
  listed.resolve({ tasks: [{ ...running, ...times, status: "RUNNING" }] });
  assertEquals(await reserving, true);
});

/** A store whose events are only those that a test sends. */
function emitterOf(backend: MemoryBackend) {
  let notify: (event: TaskEvent) => void = () => {};
  const store = {
    list: backend.list.bind(backend),
    watch: (listener: (event: TaskEvent) => void) => {
      notify = listener;
      return () => {};
    },
  };
  return { store, emit: (event: TaskEvent) => notify(event) };
}

Deno.test("a count that late events have made too high is repeated before a refusal, once for all callers", async () => {
  await using backend = new MemoryBackend();
  let now = 0;
  const { store, emit } = emitterOf(backend);
  using open = new OpenTasks(store, 1, () => now);
  const id = newTaskId();
  await open.reserve("ann", id);
  open.release("ann", id);
  // A late event from another process: the creation of a task that has long ended.
  const late = await backend.create(newTask("ann"));
  await backend.cancel(late.id, "ann", 0);
  emit({ kind: "change", task: late });
  assertEquals(await open.reserve("ann", newTaskId()), false);
  now = 10_000;
  const got = await Promise.all(Array.from({ length: 5 }, () => open.reserve("ann", newTaskId())));
  assertEquals(got, [true, false, false, false, false]);
});

Deno.test("the tasks of an owner with room for more are counted once, and without a limit never", async () => {
  await using backend = new MemoryBackend();
  for (const [max, reads] of [[3, 1], [Infinity, 0]] as const) {
    let [now, listed, watchers] = [0, 0, 0];
    const store = {
      list: (...page: Parameters<MemoryBackend["list"]>) => {
        listed++;
        return backend.list(...page);
      },
      watch: () => {
        watchers++;
        return () => {};
      },
    };
    using open = new OpenTasks(store, max, () => now);
    for (; now < 60_000; now += 30_000) assertEquals(await open.reserve("ann", newTaskId()), true);
    assertEquals([listed, watchers], [reads, reads]);
  }
});

Deno.test("a count is also repeated after the clock was set back", async () => {
  await using backend = new MemoryBackend();
  let now = 7_200_000;
  using open = new OpenTasks(backend, 1, () => now);
  assertEquals(await open.reserve("ann", newTaskId()), true); // And it was created nowhere.
  now = 0;
  assertEquals(await open.reserve("ann", newTaskId()), true);
});

Deno.test("after a gap the open tasks are counted again, with those that were created elsewhere meanwhile", async () => {
  await using backend = new MemoryBackend();
  const { store, emit } = emitterOf(backend);
  using open = new OpenTasks(store, 1, () => 0);
  const id = newTaskId();
  assertEquals(await open.reserve("ann", id), true);
  open.release("ann", id);
  // From now on there are no events.
  const missed = await backend.create(newTask("ann"));
  emit({ kind: "gap" });
  assertEquals(await open.reserve("ann", newTaskId()), false);
  await backend.cancel(missed.id, "ann", 0);
  emit({ kind: "gap" });
  assertEquals(await open.reserve("ann", newTaskId()), true);
});

Deno.test("after a failed count the next call counts again", async () => {
  await using backend = new MemoryBackend();
  let away = true;
  const list: MemoryBackend["list"] = (...page) =>
    away ? Promise.reject(new BackendError("The disk is gone.")) : backend.list(...page);
  using open = new OpenTasks({ list, watch: backend.watch.bind(backend) }, 1, () => 0);
  const both = await Promise.allSettled([1, 2].map(() => open.reserve("ann", newTaskId())));
  assertEquals(both.map(({ status }) => status), ["rejected", "rejected"]);
  away = false;
  assertEquals(await open.reserve("ann", newTaskId()), true);
  assertEquals(await open.reserve("ann", newTaskId()), false);
});

Deno.test("open tasks are counted over all pages of the store", async () => {
  await using backend = new MemoryBackend();
  for (let i = 0; i < 501; i++) await backend.create(newTask("ann"));
  using open = new OpenTasks(backend, 501, Date.now);
  assertEquals(await open.reserve("ann", newTaskId()), false);
});

Deno.test("once there are many owners, only those without open tasks are forgotten", async () => {
  await using backend = new MemoryBackend();
  const counted: string[] = [];
  const list: MemoryBackend["list"] = (owner, page) => {
    counted.push(owner);
    return backend.list(owner, page);
  };
  using open = new OpenTasks({ list, watch: backend.watch.bind(backend) }, 1, () => 0);
  // It is about to be stored, so it is not in the store yet.
  assertEquals(await open.reserve("ann", newTaskId()), true);
  for (let i = 1; i < 10_000; i++) {
    const id = newTaskId();
    await open.reserve(`owner ${i}`, id);
    open.release(`owner ${i}`, id);
  }
  await open.reserve("late", newTaskId());
  counted.length = 0;
  assertEquals(await open.reserve("ann", newTaskId()), false);
  assertEquals(await open.reserve("owner 1", newTaskId()), true);
  assertEquals(counted, ["owner 1"]);
});

Deno.test("a counter that is disposed of unsubscribes from its backend", async () => {
  await using backend = new MemoryBackend();
  let listeners = 0;
  const watch = () => {
    listeners++;
    return () => void listeners--;
  };
  const open = new OpenTasks({ list: backend.list.bind(backend), watch }, 1, () => 0);
  assertEquals(listeners, 1);
  open[Symbol.dispose]();
  assertEquals(listeners, 0);
});
