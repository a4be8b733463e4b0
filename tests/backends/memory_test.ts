import { InvalidValue, MemoryBackend } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { exerciseBackend } from "../../src/testing.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";

const noProcess = "a store in memory dies with its process";

exerciseBackend("memory", () => {
  const backend = new MemoryBackend();
  return Promise.resolve({ backend, connect: () => Promise.resolve(backend), close: () => backend.close() });
}, {
  skip: {
    "a task whose worker is killed runs again on another worker": noProcess,
    "a task that is cancelled after its worker was killed ends as cancelled": noProcess,
    "a task whose worker dies three times fails with that reason": noProcess,
    "a task whose worker is killed while it asks finds the answer that came meanwhile": noProcess,
  },
});

Deno.test("a second task of one id is refused, and the first one stays as it is", async () => {
  await using backend = new MemoryBackend();
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  const task = { id: newTaskId(), job: "echo", owner: "ann", input: {}, resultTtl: 60_000, retry };
  const first = await backend.create(task);
  await assertRejects(() => backend.create({ ...task, owner: "bob" }), InvalidValue, task.id);
  assertEquals(await backend.get(task.id, "ann"), first);
});
