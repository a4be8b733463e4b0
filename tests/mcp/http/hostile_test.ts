import { createWorker, MemoryBackend } from "../../../mod.ts";
import { assert, assertEquals } from "../../../tools/std.ts";
import { fixtureServer } from "../../interop/support/fixture.ts";
import { randomFrom } from "../../../tools/random.ts";
import type { ToolCalls } from "./support/hostile.ts";
import { sendHostile } from "./support/hostile_run.ts";
import { Raw } from "./support/raw.ts";

/** How many are sent here. `deno task fuzz` sends many more, to a server process. */
const COUNT = 500;

const TOOLS: ToolCalls = [
  { name: "nothing", arguments: {}, _meta: { progressToken: 1 } },
  { name: "strict", arguments: { id: 1, tags: ["a"] } },
  { name: "strict_json", arguments: { id: 1 }, task: { ttl: 60_000 } },
  { name: "fail", arguments: { what: "error" } },
  { name: "ping" },
];

Deno.test("hostile requests get an error or a result, never a 5xx or silence, and the server still works", async () => {
  await using backend = new MemoryBackend();
  const limits = {
    openTasks: Infinity,
    creationsPerMinute: Infinity,
    readsPerMinute: Infinity,
    requestsPerMinute: Infinity,
  };
  await using server = fixtureServer("operation", backend, { limits });
  await using _worker = createWorker(backend, server.registry.list().map(({ job }) => job), { concurrency: 16 });
  const statuses = await sendHostile(server.fetch, { tools: TOOLS, seed: 1, count: COUNT });
  assert((statuses.get(200) ?? 0) > COUNT / 10, `Some get through: ${JSON.stringify([...statuses])}`);
  assert((statuses.get(400) ?? 0) > COUNT / 10, `Some do not: ${JSON.stringify([...statuses])}`);
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
