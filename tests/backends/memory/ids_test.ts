import { MemoryBackend } from "../../../mod.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

Deno.test("a second task with the same id is refused, and the first one stays as it is", async () => {
  await using backend = new MemoryBackend();
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  const task = { id: newTaskId(), job: "echo", owner: "ann", input: {}, resultTtl: 60_000, retry };
  const first = await backend.create(task);
  await assertRejects(() => backend.create({ ...task, owner: "bob" }), Error, task.id);
  assertEquals(await backend.get(task.id, "ann"), first);
});
