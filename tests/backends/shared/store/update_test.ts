import { MemoryStore } from "../../../../src/backends/memory/store.ts";
import { cancelledNow, claimed, created } from "../../../../src/backends/shared/record.ts";
import { Hub } from "../../../../src/backends/shared/store/hub.ts";
import { update } from "../../../../src/backends/shared/store/update.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";

const OWNER = "ann";

async function stored() {
  const store = new MemoryStore(new Hub());
  const id = newTaskId();
  await store.create(created(newTask({ id, owner: OWNER }), 1), "{}");
  const entry = await store.read(id, OWNER);
  assert(entry);
  return { store, id, entry };
}

Deno.test("a change that conflicts with another one is decided again on the newest record", async () => {
  const { store, entry } = await stored();
  assert(await store.change(entry, claimed(entry.record, "worker", 2)));
  const seen: string[] = [];
  const changed = await update(store, entry, (record) => {
    seen.push(record.info.status);
    return { record: cancelledNow(record, 3) };
  });
  assertEquals([seen, changed?.record.info.status], [["PENDING", "RUNNING"], "CANCELLED"]);
});

Deno.test("a change that changes nothing writes nothing", async () => {
  const { store, id, entry } = await stored();
  assertEquals(await update(store, entry, (record) => ({ record })), entry);
  assertEquals(await store.read(id, OWNER), entry);
});
