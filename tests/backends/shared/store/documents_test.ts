import { MemoryStore } from "../../../../src/backends/memory/store.ts";
import { StoreBackend } from "../../../../src/backends/shared/store/backend.ts";
import { Hub } from "../../../../src/backends/shared/store/hub.ts";
import { BackendError } from "../../../../src/errors.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";

class Opened extends StoreBackend {
  constructor(hub: Hub) {
    super(new MemoryStore(hub), hub, new AsyncDisposableStack());
  }
}

Deno.test("watchers of documents are notified of changes and of gaps, but not of tasks", async () => {
  const hub = new Hub();
  await using backend = new Opened(hub);
  const notified: (string | undefined)[] = [];
  const stop = backend.documents.watch((name) => notified.push(name));
  await backend.documents.write("one", undefined, "1");
  await backend.documents.write("one", "2", "3"); // Changes nothing.
  const id = "01a20000-0000-7000-8000-000000000000";
  await backend.create(newTask({ id }));
  hub.event({ kind: "gap" });
  assertEquals(notified, ["one", undefined]);
  stop();
  await backend.documents.write("two", undefined, "1");
  assertEquals(notified.length, 2);
});

Deno.test("documents of a closed backend are neither read nor changed", async () => {
  const backend = new Opened(new Hub());
  await backend.close();
  await assertRejects(() => backend.documents.read("one"), BackendError, "it is closed");
  await assertRejects(() => backend.documents.list(""), BackendError, "it is closed");
  await assertRejects(() => backend.documents.write("one", undefined, "1"), BackendError, "it is closed");
});
