import { Hub } from "../../../backend.ts";
import { MemoryBackend } from "../../../mod.ts";
import { MemoryStore } from "../../../src/backends/memory/store.ts";
import { claimed, created } from "../../../src/backends/shared/record.ts";
import { assert, assertEquals } from "../../../tools/std.ts";
import { newTask } from "../../support/tasks.ts";
import { PassingTime } from "../../support/time.ts";

Deno.test("memory: a claim that the limits of its job no longer allow is not made, although its task was found before", async () => {
  const store = new MemoryStore(new Hub());
  const entries = await Promise.all([1, 2].map(async () => {
    const record = created(newTask({ owner: "ann" }), 1);
    await store.create(record, "{}");
    const entry = await store.read(record.info.id, "ann");
    assert(entry);
    return entry;
  }));
  const claims = entries.map((entry) => store.claim(entry, claimed(entry.record, "worker", 2), { concurrency: 1 }));
  assertEquals((await Promise.all(claims)).map((entry) => entry !== undefined), [true, false]);
});

Deno.test("memory: a delayed task that was cancelled is not searched for when it would have been due", async () => {
  await using _ = new PassingTime();
  const errors: unknown[] = [];
  await using backend = new MemoryBackend({ onError: (error) => errors.push(error) });
  const run = () => Promise.resolve({ kind: "value", value: "done" } as const);
  const worker = backend.work({ jobs: ["job"], concurrency: 1, run });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const task = await backend.create(newTask({ delay: 50 }));
  await backend.cancel(task.id, task.owner, 0);
  const next = await backend.create(newTask({ delay: 100 }));
  backend.watch((event) => {
    if (event.kind === "change" && event.task.id === next.id && event.task.status === "COMPLETED") resolve();
  });
  await ended;
  await worker.stop(0);
  assertEquals(errors, []);
});
