import { createWorker, MemoryBackend } from "../../mod.ts";
import { assert, assertEquals } from "../../tools/std.ts";
import { fixtureServer } from "../interop/fixture.ts";
import { randomFrom } from "./hostile.ts";
import { sendHostile } from "./hostile_run.ts";
import { Raw } from "./raw.ts";

/** `deno task fuzz [seed]` asks for more, or for others. */
const [count = 500, seed = 1] = Deno.args.map(Number);

Deno.test("hostile requests get an error or a result, never a 5xx or silence, and the server still works", async () => {
  await using backend = new MemoryBackend();
  const limits = { openTasks: Infinity, creationsPerMinute: Infinity, readsPerMinute: Infinity };
  await using server = fixtureServer("operation", backend, { limits });
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job), { concurrency: 16 });
  const statuses = await sendHostile(server, seed, count);
  assert((statuses.get(200) ?? 0) > count / 10, `Some get through: ${JSON.stringify([...statuses])}`);
  assert((statuses.get(400) ?? 0) > count / 10, `Some do not: ${JSON.stringify([...statuses])}`);
  const raw = await Raw.open(server.fetch);
  const id = await raw.start("strict", { id: 1 });
  assertEquals((await raw.ask("tasks/result", { taskId: id })).result.structuredContent, { id: 1 });
});

Deno.test("the same seed gives the same requests", () => {
  const [a, b, c] = [randomFrom(7), randomFrom(7), randomFrom(8)];
  const ten = (random: () => number) => Array.from({ length: 10 }, random);
  const first = ten(a);
  assertEquals(first, ten(b));
  assert(first.some((number, index) => number !== ten(c)[index]));
});
