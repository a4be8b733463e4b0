/**
 * What a worker learns after it has missed changes of the tasks that it runs.
 *
 * @module
 */
import { Hub, StoreBackend } from "../../../../backend.ts";
import { createWorker, defineJob } from "../../../../mod.ts";
import { BackendError } from "../../../../src/errors.ts";
import type { WorkerLease } from "../../../../src/backends/shared/store/store.ts";
import { ignored } from "../../../support/errors.ts";
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

/** Fails to read once `isAway` is set, until a worker renews its lease. */
class LeasedStore extends MemoryStore {
  isAway = false;

  override async read(...of: Parameters<MemoryStore["read"]>) {
    if (this.isAway) throw new BackendError("The store is away.");
    return await super.read(...of);
  }

  lease(): WorkerLease {
    const renew = () => {
      this.isAway = false;
      return Promise.resolve();
    };
    return { duration: 60, renew, dead: () => Promise.resolve([]), end: () => Promise.resolve() };
  }
}

class LossyBackend extends StoreBackend {
  constructor(hub: Hub, store: MemoryStore) {
    super(store, hub, new AsyncDisposableStack());
  }
}

Deno.test("a worker that has missed a request to stop stops the task once it learns that it has missed changes", async () => {
  const hub = new LossyHub();
  await stopsWhatItHasMissed(hub, new MemoryStore(hub), () => hub.event({ kind: "gap" }));
});

Deno.test("a worker that cannot read its tasks again does so with the next renewal of its lease", async () => {
  const hub = new LossyHub();
  const store = new LeasedStore(hub);
  await stopsWhatItHasMissed(hub, store, () => {
    store.isAway = true;
    hub.event({ kind: "gap" });
  });
});

async function stopsWhatItHasMissed(hub: LossyHub, store: MemoryStore, tell: () => void): Promise<void> {
  await using backend = new LossyBackend(hub, store);
  const started = Promise.withResolvers<void>();
  const silent = defineJob({
    name: "silent",
    input: { type: "object" },
    run: (_, { signal }) => {
      started.resolve();
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  });
  await using worker = createWorker(backend, [silent], { onError: ignored });
  await worker.ready;
  const [id, owner] = [newTaskId(), "me"];
  await backend.create(newTask({ id, job: "silent", owner }));
  await started.promise;

  hub.isDeaf = true;
  const cancelling = backend.cancel(id, owner, 60_000);
  while (!("stopRequested" in await backend.get(id, owner)));
  hub.isDeaf = false;
  tell();
  const ended = await cancelling; // At the end of its wait it would be cancelled in any case, but not stopped.
  assertEquals(ended.status === "CANCELLED" && ended.work, "stopped");
}
