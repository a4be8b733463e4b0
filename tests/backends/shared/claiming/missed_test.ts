/**
 * What a worker learns after it has missed changes of the tasks that it runs.
 *
 * @module
 */
import { Hub, StoreBackend } from "../../../../backend.ts";
import { createWorker, defineJob } from "../../../../mod.ts";
import { MemoryStore } from "../../../../src/backends/memory/store.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";

/** Loses what it is told while `isDeaf`. */
class LossyHub extends Hub {
  isDeaf = false;

  override event(event: Parameters<Hub["event"]>[0]): void {
    if (!this.isDeaf) super.event(event);
  }
}

class LossyBackend extends StoreBackend {
  constructor(hub: Hub) {
    super(new MemoryStore(hub), hub, new AsyncDisposableStack());
  }
}

Deno.test("a worker that has missed a request to stop stops the task once it learns that it has missed changes", async () => {
  const hub = new LossyHub();
  await using backend = new LossyBackend(hub);
  const started = Promise.withResolvers<void>();
  const silent = defineJob({
    name: "silent",
    input: { type: "object" },
    run: (_, { signal }) => {
      started.resolve();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  });
  await using worker = createWorker(backend, [silent]);
  await worker.ready;
  const [id, owner] = [newTaskId(), "me"];
  await backend.create(newTask({ id, job: "silent", owner }));
  await started.promise;

  hub.isDeaf = true;
  const cancelling = backend.cancel(id, owner, 60_000);
  while (!("stopRequested" in await backend.get(id, owner)));
  hub.isDeaf = false;
  hub.event({ kind: "gap" });
  assertEquals((await cancelling).status, "CANCELLED");
});
