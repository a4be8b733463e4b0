import { MemoryBackend } from "../../src/backends/memory/mod.ts";
import type { KeyStore } from "../../src/backend.ts";
import { BackendError, InvalidValue, TaskExpired } from "../../src/errors.ts";
import { newTaskId } from "../../src/ids.ts";
import { defineJob } from "../../src/job.ts";
import { ToolRegistry } from "../../src/registry.ts";
import { DueTasks, ScheduleChanged } from "../../src/schedules/due_tasks.ts";
import type { AuditEvent } from "../../src/tasks/audit.ts";
import { turn } from "../../src/waiting.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";
import { ignored } from "../support/errors.ts";

const NOW = Date.parse("2026-11-28T12:00:00Z");
const registered = new ToolRegistry().register(defineJob({ name: "report", input: { type: "object" } }));
const due = {
  name: "daily",
  dueAt: NOW,
  schedule: {
    job: "report",
    owner: "ann",
    input: {},
    times: { every: 86_400_000 },
    catchUp: true,
    paused: false,
    anchor: 0,
  },
};
const options = { audit: () => {}, onError: ignored, now: () => NOW };

Deno.test("a due time whose task was stored, and has expired since, gets no other task", async () => {
  await using backend = new MemoryBackend();
  const id = newTaskId(NOW);
  await backend.keys.writeKey("ann", `schedule:daily:${NOW}`, undefined, id);
  const { keys } = backend;
  const expired = { keys, create: () => Promise.reject(), get: () => Promise.reject(new TaskExpired(id)) };
  assertEquals(await new DueTasks(expired, options).create(due, registered, () => Promise.resolve(true)), id);
});

Deno.test("of two servers that create the task of a due time at the same moment, both learn the same one, long after its end", async () => {
  await using backend = new MemoryBackend();
  const { create, get } = backend;
  // Neither has read the key of the other.
  const keys = { ...backend.keys, readKey: () => Promise.resolve(undefined) };
  const unaware = { create: create.bind(backend), get: get.bind(backend), keys };
  const created = () => new DueTasks(unaware, options).create(due, registered, () => Promise.resolve(true));
  const id = await created();
  assertEquals(await created(), id);
  const { finishedAt } = await backend.cancel(id ?? "", "ann", 0);
  while (Date.now() < finishedAt + 3) await turn();
  assertEquals(await created(), id);
});

Deno.test("no task is stored for a schedule that has changed since it was read", async () => {
  await using backend = new MemoryBackend();
  const changed = () => new DueTasks(backend, options).create(due, registered, () => Promise.resolve(false));
  await assertRejects(changed, ScheduleChanged, "The schedule daily has changed.");
  assertEquals((await backend.list("ann", { limit: 1 })).tasks, []);
});

Deno.test("a schedule leaves no key for each of its tasks: that of a due time is deleted with a later one, after a minute", async () => {
  await using backend = new MemoryBackend();
  let now = Date.now();
  const deleted: string[] = [];
  const writeKey: KeyStore["writeKey"] = (owner, key, from, to) => {
    if (to === undefined) deleted.push(key);
    return backend.keys.writeKey(owner, key, from, to);
  };
  const { create: store, get } = backend;
  const counted = { create: store.bind(backend), get: get.bind(backend), keys: { ...backend.keys, writeKey } };
  const tasks = new DueTasks(counted, { ...options, now: () => now });
  const keyAt = (dueAt: number) => backend.keys.readKey("ann", `schedule:daily:${dueAt}`);
  const create = async (dueAt: number, last?: { readonly dueAt: number; readonly task: string }) => {
    const time = { ...due, dueAt, schedule: { ...due.schedule, last } };
    return { dueAt, task: await tasks.create(time, registered, () => Promise.resolve(true)) ?? "" };
  };
  const first = await create(NOW);
  const second = await create(NOW + 1, first);
  assertEquals([await keyAt(NOW), await keyAt(NOW + 1)], [first.task, second.task]);
  now += 61_000;
  const third = await create(NOW + 2, second);
  assertEquals([await keyAt(NOW), await keyAt(NOW + 1), await keyAt(NOW + 2)], [undefined, undefined, third.task]);
  await create(NOW + 3, { ...third, task: newTaskId(now - 120_000) }); // Another server has named its own task meanwhile.
  assertEquals(await keyAt(NOW + 2), third.task);
  assertEquals(deleted, [0, 1, 2].map((ms) => `schedule:daily:${NOW + ms}`)); // Each once.
});

Deno.test("a task that can never be stored is reported, and the schedule goes on without it; any other error is for the next try", async () => {
  await using backend = new MemoryBackend();
  const errors: unknown[] = [];
  const failing = (error: Error) => {
    const broken = { get: backend.get.bind(backend), keys: backend.keys, create: () => Promise.reject(error) };
    const tasks = new DueTasks(broken, {
      ...options,
      onError: (error, { where, job }) => errors.push([error, where, job]),
    });
    return tasks.create(due, registered, () => Promise.resolve(true));
  };
  const tooLarge = new InvalidValue("its input is too large");
  assertEquals(await failing(tooLarge), undefined);
  for (const error of [new BackendError("The store is away."), new TypeError("database is locked")]) {
    assertEquals(await failing(error).catch((thrown) => thrown), error);
  }
  assertEquals(errors, [[tooLarge, "create the task of a schedule", "report"]]);
});

Deno.test("a key that cannot be deleted hides neither the task of a later due time nor the error of its creation", async () => {
  await using backend = new MemoryBackend();
  const events: AuditEvent[] = [];
  let fails = false;
  const failing = {
    get: backend.get.bind(backend),
    keys: { readKey: backend.keys.readKey, writeKey: () => Promise.reject(new BackendError("The key is locked.")) },
    create: async (...task: Parameters<MemoryBackend["create"]>) => {
      await turn(); // So that the deletion fails first.
      if (fails) throw new BackendError("The store is away.");
      return await backend.create(...task);
    },
  };
  const tasks = new DueTasks(failing, { ...options, now: Date.now, audit: (event) => events.push(event) });
  const last = { dueAt: NOW, task: "018cc251-f400-7000-8000-000000000000" }; // Of 2024.
  const create = (dueAt: number) => {
    return tasks.create(
      { ...due, dueAt, schedule: { ...due.schedule, last } },
      registered,
      () => Promise.resolve(true),
    );
  };
  const task = await create(NOW + 1);
  assertEquals(events.map((event) => event.task), [task]);
  fails = true;
  await assertRejects(() => create(NOW + 2), BackendError, "The store is away.");
});
