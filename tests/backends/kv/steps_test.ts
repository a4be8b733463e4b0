import { createWorker, defineJob, DenoKvBackend, isFinished, type TaskInfo } from "../../../mod.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assertEquals } from "../../../tools/std.ts";

const OWNER = "ann";
const retry = { attempts: 2, delay: 1, maxDelay: 1 };
const large = () => "x".repeat(200_000);

/** Each records a small and a large step. One asks, one fails once after them, one steps on in its second attempt. */
const jobs = [
  defineJob({
    name: "once",
    input: { type: "object" },
    run: async (_, { step }) => void [await step("small", () => 1), await step("large", large)],
  }),
  defineJob({
    name: "twice",
    input: { type: "object" },
    run: async (_, { step, attempt }) => {
      await step("small", () => 1);
      await step("large", large);
      if (attempt === 1) throw new Error("not today");
      await step("second", large);
    },
  }),
  defineJob({
    name: "asks",
    input: { type: "object" },
    parkAfter: 0,
    run: async (_, { step, elicit }) => {
      await step("large", large);
      await elicit({ message: "Sure?", schema: { type: "object" } });
    },
  }),
];

Deno.test("KV: the end of a task deletes its recorded steps, also when it is cancelled while it is parked", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-kv-steps-" });
  const path = `${folder}/jobs.kv`;
  const backend = await DenoKvBackend.open({ path, lease: 60_000 });
  const worker = createWorker(backend, jobs, { concurrency: 4 });
  const parked = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const ends: TaskInfo[] = [];
  backend.watch((event) => {
    if (event.kind === "gap") return;
    if ("parked" in event.task) parked.resolve();
    if (isFinished(event.task) && ends.push(event.task) === jobs.length) ended.resolve();
  });
  const ids = jobs.map(({ name: job }) => ({ id: newTaskId(), job }));
  for (const task of ids) await backend.create({ ...task, owner: OWNER, input: {}, resultTtl: 60_000, retry });
  await parked.promise;
  const kv = await Deno.openKv(path);
  const [, , asks] = ids;
  const recorded = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "step", asks?.id ?? ""] }));
  assertEquals(recorded.length, 1);
  await backend.cancel(asks?.id ?? "", OWNER, 0);
  await ended.promise;
  assertEquals(ends.map(({ status }) => status).sort(), ["CANCELLED", "COMPLETED", "COMPLETED"]);
  assertEquals(await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "step"] })), []);
  // Every piece of a large step belongs to a mark, with which it is deleted.
  const pieces = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "blob"] }));
  const marks = await Array.fromAsync(kv.list({ prefix: ["mcp-jobs", "garbage"] }));
  const marked = new Set(marks.map(({ key }) => key.at(-1)));
  assertEquals([marked.size, pieces.filter(({ key }) => !marked.has(key[2] ?? ""))], [4, []]);
  kv.close();
  await worker.close(0);
  await backend.close();
  await Deno.remove(folder, { recursive: true });
});
