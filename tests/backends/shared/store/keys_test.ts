import type { KeyStore } from "../../../../backend.ts";
import { createKeyed } from "../../../../src/backends/shared/store/keys.ts";
import { newTaskId, timeOfTaskId } from "../../../../src/ids.ts";
import type { CancelledTask, CompletedTask } from "../../../../src/task.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { SetClock } from "../../../support/set_clock.ts";

const OWNER = "me";

/** The id of a task that was made in 2024. */
const DELETED = "018cc251-f400-7000-8000-000000000000";

/** A task that has ended just now. */
function ended(id: string): CompletedTask {
  const now = Date.now();
  const times = { createdAt: now, updatedAt: now, finishedAt: now, resultTtl: 60_000 };
  return { id, job: "report", owner: OWNER, status: "COMPLETED", revision: 2, attempt: 1, ...times };
}

/** One key, and how often it was looked up. */
class OneKey implements KeyStore {
  lookups = 0;

  constructor(public value: string | undefined) {}

  readKey(): Promise<string | undefined> {
    this.lookups++;
    return Promise.resolve(this.value);
  }

  writeKey(_owner: string, _key: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    if (this.value !== from) return Promise.resolve(false);
    this.value = to;
    return Promise.resolve(true);
  }
}

Deno.test("an id contains the time at which it was made", () => {
  assertEquals(timeOfTaskId(DELETED), Date.parse("2024-01-01T00:00:00Z"));
});

Deno.test("a start does not wait for a task that was deleted long ago", async () => {
  const keys = new OneKey(DELETED);
  const made = ended(newTaskId());
  const tasks = { read: () => Promise.resolve(undefined), create: () => Promise.resolve(made) };
  const start = { id: made.id, owner: OWNER, key: { name: "daily", window: 0 } };
  assertEquals(await createKeyed(keys, tasks, start, Date.now), made);
  assertEquals([keys.value, keys.lookups], [made.id, 1]);
});

Deno.test("a start waits for a task that another one is about to store, and takes the key over if that takes too long", async () => {
  const keys = new OneKey(newTaskId());
  const made = ended(newTaskId());
  using clock = new SetClock(0, performance);
  let reads = 0;
  const tasks = {
    read: () => {
      if (++reads === 3) clock.ahead = 2_001;
      return Promise.resolve(undefined);
    },
    create: () => Promise.resolve(made),
  };
  const start = { id: made.id, owner: OWNER, key: { name: "daily", window: 0 } };
  assertEquals(await createKeyed(keys, tasks, start, Date.now), made);
  assertEquals(keys.value, made.id);
});

Deno.test("a start does not take a key over from a task that is stored in the moment before", async () => {
  const slow = ended(DELETED); // Its start stood still after it had made the id.
  const keys = new OneKey(slow.id);
  let reads = 0;
  const tasks = {
    read: (id: string) => Promise.resolve(id === slow.id && ++reads > 1 ? slow : undefined),
    create: () => Promise.resolve(ended(newTaskId())),
  };
  const start = { id: newTaskId(), owner: OWNER, key: { name: "daily", window: 60_000 } };
  assertEquals(await createKeyed(keys, tasks, start, Date.now), slow);
  assertEquals(keys.value, slow.id);
});

Deno.test("of three starts with ids of a slow clock one stores its task, if it does so between a read and a write of the second", async () => {
  const [first, second, third] = [ended(DELETED), ended(DELETED.replace(/0$/, "1")), ended(newTaskId())];
  const keys = new OneKey(first.id);
  const stored: CompletedTask[] = [];
  const start = (task: CompletedTask, store: KeyStore = keys) => {
    const create = () => {
      if (!keys.value?.startsWith(task.id)) return Promise.resolve(undefined);
      stored.push(task);
      return Promise.resolve(task);
    };
    const read = (id: string) => Promise.resolve(stored.find((task) => task.id === id));
    const key = { name: "daily", window: 60_000 };
    return createKeyed(store, { create, read }, { id: task.id, owner: OWNER, key }, Date.now);
  };
  let writes = 0;
  const [held, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const writeKey: KeyStore["writeKey"] = async (...change) => {
    if (writes++ === 0) stored.push(first);
    else {
      held.resolve();
      await goOn.promise;
    }
    return await keys.writeKey(...change);
  };
  const overtaking = start(second, { readKey: () => keys.readKey(), writeKey });
  await held.promise;
  assertEquals(await start(third), first);
  goOn.resolve();
  assertEquals([await overtaking, keys.value, stored], [first, first.id, [first]]);
});

Deno.test("a start that dies while it takes a key over leaves it to the task that is there, or else to the next start", async () => {
  const dead = new Promise<never>(() => {});
  for (const stored of [[ended(DELETED)], []]) {
    const keys = new OneKey(DELETED);
    const next = ended(newTaskId());
    const start = { id: next.id, owner: OWNER, key: { name: "daily", window: 60_000 } };
    const closed = Promise.withResolvers<void>();
    const writeKey: KeyStore["writeKey"] = async (...change) => {
      await keys.writeKey(...change);
      closed.resolve();
      return await dead;
    };
    const nothing = { read: () => Promise.resolve(undefined), create: () => dead };
    void createKeyed({ readKey: () => keys.readKey(), writeKey }, nothing, start, Date.now);
    await closed.promise;
    const read = (id: string) => Promise.resolve(stored.find((task) => task.id === id));
    const create = () => Promise.resolve(keys.value === next.id ? next : undefined);
    const [holder = next] = stored;
    assertEquals(await createKeyed(keys, { read, create }, start, Date.now), holder);
    assertEquals(keys.value, holder.id);
  }
});

Deno.test("a task that was cancelled gives up its key, unless the key says that all tasks hold it", async () => {
  const now = Date.now();
  const cancelled: CancelledTask = { ...ended(newTaskId(now)), status: "CANCELLED", work: "never_started" };
  for (const heldByAll of [undefined, true] as const) {
    const id = newTaskId();
    const start = { id, owner: OWNER, key: { name: "daily", window: 60_000, heldByAll } };
    const made = await createKeyed(
      new OneKey(cancelled.id),
      {
        read: () => Promise.resolve(cancelled),
        create: () => Promise.resolve({ ...cancelled, id }),
      },
      start,
      () => now,
    );
    assertEquals(made.id, heldByAll ? cancelled.id : id);
  }
});

Deno.test("a key holds no longer than the result of its task is kept", async () => {
  const done = ended(newTaskId());
  const made = ended(newTaskId());
  const tasks = { read: () => Promise.resolve(done), create: () => Promise.resolve(made) };
  const start = { id: made.id, owner: OWNER, key: { name: "daily", window: 3_600_000 } };
  const after = (ms: number) => createKeyed(new OneKey(done.id), tasks, start, () => done.finishedAt + ms);
  assertEquals([await after(done.resultTtl - 1), await after(done.resultTtl)], [done, made]);
});
