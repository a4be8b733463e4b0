import type { NewTask } from "../../backend.ts";
import { DefinitionError, DenoKvBackend, MemoryBackend } from "../../mod.ts";
import { newTaskId } from "../../src/ids.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";

function routed(): NewTask {
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  const route = { queue: "images", jobName: "resize-image" };
  return { id: newTaskId(), job: "resize", owner: "owner", input: {}, resultTtl: 1_000, retry, route };
}

Deno.test("a backend without queues of others refuses a routed task, and stores nothing", async () => {
  const path = await Deno.makeTempDir({ prefix: "mcp-jobs-route-test-" });
  for (const open of [() => new MemoryBackend(), () => DenoKvBackend.open({ path: `${path}/jobs.kv` })]) {
    await using backend = await open();
    await assertRejects(() => backend.create(routed()), DefinitionError, "images");
    assertEquals((await backend.list("owner", { limit: 1 })).tasks, []);
  }
  await Deno.remove(path, { recursive: true });
});
