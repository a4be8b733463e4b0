import type { Backend } from "../../src/backend.ts";
import { MemoryBackend } from "../../src/backends/memory/mod.ts";
import { BackendError } from "../../src/errors.ts";
import { newTaskId } from "../../src/ids.ts";
import { defineJob } from "../../src/job.ts";
import { ToolRegistry } from "../../src/registry.ts";
import { listSchedules, pauseSchedule, removeSchedule } from "../../src/schedules/operate.ts";
import type { Declaration } from "../../src/schedules/schedule.ts";
import { type DeclaredSchedule, Scheduler } from "../../src/schedules/scheduler.ts";
import type { AuditEvent } from "../../src/tasks/audit.ts";
import { pause, turn } from "../../src/waiting.ts";
import { ignored } from "../support/errors.ts";
import { assertEquals, FakeTime } from "../../tools/std.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** Noon of tomorrow: ids count on a time that does not go back, and other tests of this process may have made some. */
const START = (Math.floor(Date.now() / DAY) + 1.5) * DAY;
const report = defineJob({ name: "report", input: { type: "object" }, run: () => null });

function everyMinute(changes: Partial<Declaration> = {}): DeclaredSchedule {
  const times = { cron: "* * * * *", timeZone: "UTC" };
  const declaration = { job: "report", owner: "ann", input: {}, times, catchUp: true, ...changes };
  return { name: "minutely", registered: new ToolRegistry().register(report), declaration };
}

function run(
  backend: Pick<Backend, "create" | "documents" | "get" | "keys">,
  schedule: DeclaredSchedule = everyMinute(),
  audit: (event: AuditEvent) => void = () => {},
): Scheduler {
  return new Scheduler(backend, [schedule], { audit, onError: ignored });
}

/** Lets time pass, and everything that is due in it happen, to the second. */
async function pass(time: FakeTime, ms: number): Promise<void> {
  for (const end = time.now + ms; time.now < end; time.tick(Math.min(1_000, end - time.now))) await turn();
  await turn();
  await turn();
}

/** A backend that takes 2 s to create a task of an owner that `isBusy` holds for. */
function slowly(backend: Backend, isBusy: (owner: string) => boolean): Parameters<typeof run>[0] {
  const create = async (...task: Parameters<Backend["create"]>) => {
    if (isBusy(task[0].owner)) await pause(2_000);
    return await backend.create(...task);
  };
  const { documents, keys } = backend;
  return { create, documents, get: (id, owner) => backend.get(id, owner), keys };
}

/** When the tasks of an owner were created, in s since the start, the oldest first. */
async function created(backend: Backend): Promise<number[]> {
  const { tasks } = await backend.list("ann", { limit: 100 });
  return tasks.map(({ createdAt }) => (createdAt - START) / 1_000).reverse();
}

Deno.test("of three servers with the same schedule, one creates each task, and the audit log says by which schedule", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  const events: AuditEvent[] = [];
  await using _first = run(backend, everyMinute(), (event) => events.push(event));
  await using _second = run(backend, everyMinute(), (event) => events.push(event));
  await using _third = run(backend, everyMinute(), (event) => events.push(event));
  await pass(time, 5 * MINUTE);
  await pass(time, 1_000); // The others look for the last task.
  assertEquals(await created(backend), [60, 120, 180, 240, 300]);
  assertEquals(events.length, 5);
  assertEquals(events[0]?.reason, "By the schedule minutely.");
  const [schedule] = await listSchedules(backend.documents);
  assertEquals(schedule?.nextAt, START + 6 * MINUTE);
  assertEquals(schedule?.last?.dueAt, START + 5 * MINUTE);
});

Deno.test("if a server dies after its task is stored, other servers find that task and go on", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  const dead = new Promise<never>(() => {});
  const { documents } = backend;
  let stored = false;
  const dying = {
    create: async (...task: Parameters<Backend["create"]>) => {
      const created = await backend.create(...task);
      stored = true;
      return created;
    },
    documents: {
      ...documents,
      write: (...change: Parameters<typeof documents.write>) => stored ? dead : documents.write(...change),
    },
    get: (id: string, owner: string) => backend.get(id, owner),
    keys: backend.keys,
  };
  run(dying);
  await pass(time, MINUTE);
  assertEquals([await created(backend), (await listSchedules(documents))[0]?.last], [[60], undefined]);
  await using _other = run(backend);
  await pass(time, MINUTE);
  assertEquals(await created(backend), [60, 120]);
  // Its task may even have expired since.
  assertEquals((await listSchedules(documents))[0]?.last?.dueAt, START + 2 * MINUTE);
});

Deno.test("if a server dies before its task is stored, another one creates it, unless it may have been stored and deleted", async () => {
  using time = new FakeTime(START);
  for (const [downtime, served] of [[30, true], [100, true], [130, false]] as const) {
    await using backend = new MemoryBackend();
    const begun = Date.now();
    const daily = everyMinute({ times: { every: 24 * 60 * MINUTE } });
    await run(backend, daily)[Symbol.asyncDispose]();
    await time.tickAsync(24 * 60 * MINUTE);
    const dueAt = begun + 24 * 60 * MINUTE;
    await backend.keys.writeKey("ann", `schedule:minutely:${dueAt}`, undefined, newTaskId()); // And then it died.
    await time.tickAsync(downtime * MINUTE);
    await using _restarted = run(backend, daily);
    await pass(time, MINUTE);
    // Once two hours have passed, a task may have been stored, and be gone.
    assertEquals((await created(backend)).length, served ? 1 : 0, `${downtime} minutes`);
    assertEquals((await listSchedules(backend.documents))[0]?.last?.dueAt, dueAt);
  }
});

Deno.test("after a downtime of an hour, one task makes up for all due times, and none without catch-up", async () => {
  using time = new FakeTime(START);
  for (const catchUp of [true, false]) {
    await using backend = new MemoryBackend();
    const begun = Date.now();
    await run(backend, everyMinute({ catchUp }))[Symbol.asyncDispose]();
    await time.tickAsync(60 * MINUTE + 10_000);
    await using _restarted = run(backend, everyMinute({ catchUp }));
    await pass(time, 3 * MINUTE - 10_000);
    const times = (await created(backend)).map((seconds) => seconds - (begun - START) / 1_000);
    assertEquals(times, [...catchUp ? [3_613] : [], 3_660, 3_720, 3_780]);
    await pass(time, MINUTE - (Date.now() - START) % MINUTE);
  }
});

Deno.test("a server that starts leaves earlier due times to one that has run, is late, and makes progress", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  let isBusy = true;
  const eachSecond = everyMinute({ times: { every: 1_000 } });
  await using _slow = run(slowly(backend, () => isBusy), eachSecond);
  await pass(time, 10_000);
  await using _started = run(backend, eachSecond);
  await pass(time, 30_000);
  isBusy = false;
  await pass(time, 3_500);
  const due = Array.from({ length: 30 }, (_, index) => `schedule:minutely:${START + (index + 1) * 1_000}`);
  const ids = await Promise.all(due.map((key) => backend.keys.readKey("ann", key)));
  assertEquals(due.filter((_, index) => ids[index] === undefined), []);
});

Deno.test("a schedule that is removed, and declared again by a server whose clock is 50 s slow, gets no second tasks", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  const eachSecond = everyMinute({ times: { cron: "* * * * * *", timeZone: "UTC" } });
  const first = run(backend, eachSecond);
  await pass(time, 90_000);
  await first[Symbol.asyncDispose]();
  const before = await created(backend);
  await removeSchedule(backend.documents, "minutely");
  const options = { audit: () => {}, onError: ignored, now: () => Date.now() - 50_000 };
  await using _slow = new Scheduler(backend, [eachSecond], options);
  await pass(time, 45_000);
  assertEquals(await created(backend), before);
});

Deno.test("a schedule that is always behind, because its tasks take long to create, does not hold up others", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  let isBusy = true;
  const slow = slowly(backend, (owner) => owner === "bob" && isBusy);
  const often = { ...everyMinute({ times: { every: 1_000 }, owner: "bob" }), name: "often" };
  await using _scheduler = new Scheduler(slow, [often, everyMinute()], { audit: () => {}, onError: ignored });
  await pass(time, 3 * MINUTE);
  assertEquals(await created(backend), [60, 120, 180]);
  isBusy = false;
  await pass(time, 2_500);
});

Deno.test("a server that is always behind creates as many tasks as it can, also once it is more than a minute late", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  let isBusy = true;
  await using _scheduler = run(slowly(backend, () => isBusy), everyMinute({ times: { every: 1_000 } }));
  const perMinute: number[] = [];
  for (let before = 0, minute = 1; minute <= 3; minute++) {
    await pass(time, MINUTE);
    const { length } = await created(backend);
    perMinute.push(length - before);
    before = length;
  }
  isBusy = false;
  await pass(time, 2_500);
  assertEquals(perMinute, [29, 30, 30]); // The first task is due after a second.
});

Deno.test("an operator pauses, resumes and removes a schedule, and a server that starts brings it back", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  const { documents } = backend;
  await using first = run(backend);
  await pass(time, MINUTE);
  assertEquals(await pauseSchedule(documents, "minutely", true, Date.now()), true);
  await pass(time, 2 * MINUTE);
  assertEquals((await listSchedules(documents)).map(({ paused, nextAt }) => [paused, nextAt]), [[true, undefined]]);
  assertEquals(await pauseSchedule(documents, "minutely", false, Date.now()), true);
  await pass(time, MINUTE);
  assertEquals(await created(backend), [60, 240]);
  assertEquals(await removeSchedule(documents, "minutely"), true);
  assertEquals(await removeSchedule(documents, "minutely"), false);
  assertEquals(await pauseSchedule(documents, "minutely", true, Date.now()), false);
  await pass(time, 2 * MINUTE);
  assertEquals(await created(backend), [60, 240]);
  await first[Symbol.asyncDispose]();
  await using _restarted = run(backend);
  await pass(time, MINUTE);
  assertEquals(await created(backend), [60, 240, 420]);
});

Deno.test("a due time is not lost while the store is away", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  let away = false;
  const flaky = {
    create: (...task: Parameters<Backend["create"]>) =>
      away ? Promise.reject(new BackendError("The store is away.")) : backend.create(...task),
    documents: backend.documents,
    get: (id: string, owner: string) => backend.get(id, owner),
    keys: backend.keys,
  };
  await using _scheduler = run(flaky, everyMinute({ times: { every: 10_000 } }));
  await pass(time, 10_000);
  away = true;
  await pass(time, 25_000);
  away = false;
  await pass(time, 15_000);
  assertEquals((await created(backend)).length, 5);
});

Deno.test("an idle scheduler reads nothing until the next due time", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  let reads = 0;
  const { documents } = backend;
  const counted = {
    create: (...task: Parameters<Backend["create"]>) => backend.create(...task),
    documents: { ...documents, read: (name: string) => (reads++, documents.read(name)) },
    get: (id: string, owner: string) => backend.get(id, owner),
    keys: backend.keys,
  };
  await using _scheduler = run(counted, everyMinute({ times: { every: 60 * 24 * 3_600_000 } })); // 60 days
  await pass(time, 1_000);
  const before = reads;
  for (let minute = 0; minute < 60; minute++) await time.tickAsync(MINUTE);
  assertEquals(reads, before);
});

Deno.test("a schedule that another version of the program declares for another job gets no more tasks of the first one", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  await using _old = run(backend);
  await pass(time, MINUTE);
  const digest = defineJob({ name: "digest", input: { type: "object" }, run: () => null });
  const registered = new ToolRegistry().register(digest);
  await using _new = run(backend, { ...everyMinute({ job: "digest" }), registered });
  await pass(time, 2 * MINUTE);
  const { tasks } = await backend.list("ann", { limit: 10 });
  assertEquals(tasks.map(({ job }) => job), ["digest", "digest", "report"]);
});

Deno.test("a server that has not heard of a change of its schedule creates the next task as the schedule is now", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  const deaf = { ...slowly(backend, () => false), documents: { ...backend.documents, watch: () => () => {} } };
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  await using _deaf = new Scheduler(deaf, [everyMinute()], { audit: () => {}, onError });
  await pass(time, 30_000);
  await run(backend, everyMinute({ input: { changed: true } }))[Symbol.asyncDispose]();
  await pass(time, MINUTE);
  const { tasks } = await backend.list("ann", { limit: 10 });
  const inputs = await Promise.all(tasks.map(({ id }) => backend.operator.input(id)));
  assertEquals([inputs, errors], [[{ changed: true }], []]);
});

Deno.test("a scheduler that stops waits for the task that it creates, unsubscribes, and does not report that the store is closed", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  const [creating, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<never>()];
  const { documents, keys } = backend;
  let watching = 0;
  const watch = (listener: Parameters<typeof documents.watch>[0]) => {
    watching++;
    const stop = documents.watch(listener);
    return () => {
      watching--;
      stop();
    };
  };
  const create = () => {
    creating.resolve();
    return closed.promise;
  };
  const closing = { create, documents: { ...documents, watch }, get: backend.get.bind(backend), keys };
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const scheduler = new Scheduler(closing, [everyMinute()], { audit: () => {}, onError });
  await pass(time, MINUTE);
  await creating.promise;
  let hasEnded = false;
  const end = scheduler[Symbol.asyncDispose]().then(() => hasEnded = true);
  await turn();
  assertEquals(hasEnded, false);
  closed.reject(new BackendError("The store is closed."));
  await end;
  assertEquals([watching, errors], [0, []]);
});

Deno.test("a server notices within a minute that the clock was set forward, however long it is to the next due time", async () => {
  using time = new FakeTime(START);
  await using backend = new MemoryBackend();
  let ahead = 0;
  const daily = everyMinute({ times: { every: DAY } });
  const now = () => Date.now() + ahead;
  await using _ = new Scheduler(backend, [daily], { audit: () => {}, onError: ignored, now });
  await pass(time, 10_000);
  ahead = DAY;
  await pass(time, MINUTE);
  assertEquals((await created(backend)).length, 1);
});
