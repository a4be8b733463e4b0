import type { NewTask } from "../../backend.ts";
import { DefinitionError, DenoKvBackend, MemoryBackend } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";
import { TempFolder } from "../support/temp_folder.ts";

function routed(): NewTask {
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  const route = { queue: "images", jobName: "resize-image" };
  return { id: newTaskId(), job: "resize", owner: "owner", input: {}, resultTtl: 1_000, retry, route };
}

Deno.test("a backend without queues of others refuses a routed task, and stores nothing", async () => {
  await using folder = await TempFolder.make();
  for (const open of [() => new MemoryBackend(), () => DenoKvBackend.open({ path: `${folder.path}/jobs.kv` })]) {
    await using backend = await open();
    await assertRejects(() => backend.create(routed()), DefinitionError, "images");
    assertEquals((await backend.list("owner", { limit: 1 })).tasks, []);
  }
});
