import { Hub, type Outcome, StoreBackend, type TaskRecord } from "../../../../backend.ts";
import { createWorker, defineJob } from "../../../../mod.ts";
import { MemoryStore } from "../../../../src/backends/memory/store.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { assertEquals } from "../../../../tools/std.ts";

/** Stores at once that a task is parked, but says so only when `told` resolves, as over a slow connection. */
class SlowToTell extends MemoryStore {
  readonly told = Promise.withResolvers<void>();

  override async change(entry: Parameters<MemoryStore["change"]>[0], record: TaskRecord, outcome?: Outcome) {
    const changed = await super.change(entry, record, outcome);
    if ("parked" in record.info) await this.told.promise;
    return changed;
  }
}

class SlowBackend extends StoreBackend {
  constructor(readonly slow: SlowToTell, hub: Hub) {
    super(slow, hub, new AsyncDisposableStack());
  }
}

Deno.test("a worker that claims a parked task again before it learns that it was parked goes on with the recorded steps", async () => {
  const hub = new Hub();
  const store = new SlowToTell(hub);
  await using backend = new SlowBackend(store, hub);
  let [runs, steps] = [0, 0];
  const job = defineJob({
    name: "approve",
    input: { type: "object" },
    parkAfter: 0,
    run: async (_, ctx) => {
      if (++runs === 2) {
        store.told.resolve();
        await new Promise((resolve) => setTimeout(resolve)); // All that waited for it has run.
      }
      const first = await ctx.step("first", () => ++steps);
      await ctx.elicit({ message: "Go on?", schema: { type: "object", properties: {} } });
      return first;
    },
  });
  await using worker = createWorker(backend, [job], { concurrency: 1 });
  await worker.ready;
  using feed = new TaskFeed(backend);
  const [id, owner] = [newTaskId(), "me"];
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  await backend.create({ id, job: "approve", owner, input: {}, resultTtl: 60_000, retry });
  await feed.wait(id, owner, new AbortController().signal, (task) => {
    const [question] = "parked" in task && task.questions || [];
    if (question) void backend.answer(id, owner, { [question.key]: { action: "accept", content: {} } });
  });
  assertEquals(await backend.outcome(id, owner), { kind: "value", value: 1 });
  assertEquals([runs, steps], [2, 1]);
});
