import { Hub, StoreBackend } from "../../../../backend.ts";
import { MemoryStore } from "../../../../src/backends/memory/store.ts";
import { claimed, stopped } from "../../../../src/backends/shared/record.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";

/** A store that calls a case before each read. */
class Store extends MemoryStore {
  beforeRead = () => Promise.resolve();

  override async read(id: string, owner: string) {
    await this.beforeRead();
    return await super.read(id, owner);
  }
}

class OwnBackend extends StoreBackend {
  constructor(store: MemoryStore, hub: Hub) {
    super(store, hub, new AsyncDisposableStack());
  }
}

Deno.test("a worker that stops just as the time for it is over ends the task, and the caller learns that it has stopped", async () => {
  const hub = new Hub();
  const store = new Store(hub);
  await using backend = new OwnBackend(store, hub);
  const { id, owner } = await backend.create(newTask());
  const ready = await store.read(id, owner);
  assert(ready);
  assert(await store.change(ready, claimed(ready.record, "worker", Date.now())));
  let reads = 0;
  store.beforeRead = async () => {
    if (++reads !== 3) return; // After those that ask for the stop, and wait for it.
    const running = await store.read(id, owner);
    assert(running);
    assert(await store.change(running, stopped(running.record, Date.now())));
  };
  const end = await backend.cancel(id, owner, 0);
  assertEquals(end.status === "CANCELLED" && end.work, "stopped");
});

Deno.test("a cancellation waits for the end of its own task, whichever tasks of others end meanwhile", async () => {
  const hub = new Hub();
  const store = new Store(hub);
  await using backend = new OwnBackend(store, hub);
  const run = async (owner: string) => {
    const { id } = await backend.create(newTask({ owner }));
    const entry = await store.read(id, owner);
    assert(entry);
    return await store.change(entry, claimed(entry.record, "worker", Date.now()));
  };
  const [mine, other] = [await run("ann"), await run("bob")];
  assert(mine && other);
  const asked = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  backend.watch((event) => {
    if (event.kind !== "change") return;
    if ("stopRequested" in event.task) asked.resolve();
    if (event.task.owner === "bob") ended.resolve();
  });
  const { id } = mine.record.info;
  const cancelling = backend.cancel(id, "ann", 60_000);
  await asked.promise;
  await store.change(other, stopped(other.record, Date.now()));
  await ended.promise;
  const now = await store.read(id, "ann");
  assert(now && await store.change(now, stopped(now.record, Date.now())));
  assertEquals((await cancelling).id, id);
});
