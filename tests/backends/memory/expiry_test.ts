import { Hub, type TaskRecord } from "../../../backend.ts";
import { MemoryStore } from "../../../src/backends/memory/store.ts";
import { timeOfTaskId } from "../../../src/ids.ts";
import * as change from "../../../src/backends/shared/record.ts";
import { TOMBSTONE_MS } from "../../../src/task.ts";
import { assert, assertEquals, FakeTime } from "../../../tools/std.ts";
import { newTask } from "../../support/tasks.ts";

const TTL = 60_000;

/** More creations than the store makes without a sweep. */
const MANY = 2_500;

function created(): TaskRecord {
  return change.created(newTask({ job: "echo", resultTtl: TTL }), Date.now());
}

Deno.test("a task that has expired leaves its record for an hour, so that its owner learns that it has expired", async () => {
  using time = new FakeTime();
  const store = new MemoryStore(new Hub());
  const record = created();
  const { id } = record.info;
  await store.create(record, "{}");
  const entry = await store.read(id, "ann");
  assert(entry);
  await store.change(entry, change.cancelledNow(record, Date.now()));
  const isThere = async () => {
    for (let count = 0; count < MANY; count++) await store.create(created(), "{}");
    return await store.read(id, "ann") !== undefined;
  };
  time.tick(TTL + TOMBSTONE_MS);
  assertEquals(await isThere(), true);
  time.tick(1);
  assertEquals([await isThere(), await isThere()], [false, false]);
});

Deno.test("a key keeps naming its task, also if storing that task makes the store delete expired ones", async () => {
  const store = new MemoryStore(new Hub());
  const lost: string[] = [];
  for (let count = 0; count < MANY; count++) {
    const record = created();
    const { id } = record.info;
    await store.writeKey("ann", id, undefined, id);
    assertEquals(await store.create(record, "{}", { name: id, names: "task" }), true);
    if (await store.readKey("ann", id) !== id) lost.push(id);
  }
  assertEquals(lost, []);
});

Deno.test("the keys of deleted tasks are deleted; those of tasks that are there, or are about to be stored, are not", async () => {
  const never = created().info.id;
  const waits = created();
  using time = new FakeTime(timeOfTaskId(never)); // Ids count on a time that does not go back.
  const store = new MemoryStore(new Hub());
  await store.writeKey("ann", "old", undefined, never);
  await store.writeKey("ann", "waits", undefined, waits.info.id);
  await store.create(waits, "{}");
  time.tick(TOMBSTONE_MS + 1);
  const soon = created().info.id;
  await store.writeKey("ann", "soon", undefined, soon);
  for (let count = 0; count < MANY; count++) await store.create(created(), "{}");
  const named = await Promise.all(["old", "waits", "soon"].map((key) => store.readKey("ann", key)));
  assertEquals(named, [undefined, waits.info.id, soon]);
});
