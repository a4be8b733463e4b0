import { assert, assertEquals, assertMatch } from "../../tools/std.ts";
import { createWorker, defineJob, MemoryBackend } from "../../mod.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";
import { newTaskId } from "../../src/ids.ts";
import { retryPolicy } from "../../src/job.ts";
import { runOnce } from "../support/attempts.ts";

const input = { type: "object" } as const;

Deno.test("progress is clamped to 0 to 1, and a message is converted to text; onError receives the first wrong number", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const job = defineJob({
    name: "wild",
    input,
    run: async (_, ctx) => {
      await ctx.progress(1 + Number.EPSILON);
      for (const fraction of [-1, 7, NaN]) await ctx.progress(fraction);
      await ctx.progress(0.5, 42 as unknown as string);
      await ctx.log("last words");
    },
  });
  const told: unknown[] = [];
  await using worker = createWorker(backend, [job], { onError: (error, about) => told.push([String(error), about]) });
  await worker.ready;
  const id = newTaskId();
  const seen: [number | undefined, string | undefined][] = [];
  const wait = backend.create({ id, job: "wild", owner: "me", input: {}, resultTtl: 60_000, retry: retryPolicy({}) })
    .then(() => feed.wait(id, "me", new AbortController().signal));
  backend.watch((event) => {
    if (event.kind === "change" && event.task.status === "RUNNING") {
      seen.push([event.task.progress, event.task.message]);
    }
  });
  await wait;
  assertEquals(seen.slice(-5), [[0, undefined], [1, undefined], [0, undefined], [0.5, "42"], [0.5, "last words"]]);
  const text = "DefinitionError: ctx.progress(-1) is reported as 0: pass a number from 0 to 1, such as 0.5 for 50 %.";
  assertEquals(told, [[text, { where: "report the progress of a job", job: "wild", task: id }]]);
});

Deno.test("a line with an unknown level ends its task with a fault that names the levels", async () => {
  const job = defineJob({ name: "wild", input, run: (_, ctx) => void ctx.log("warn" as "warning", "page 3 is empty") });
  const { outcome } = await runOnce(job);
  assert(outcome.kind === "fault");
  assertMatch(outcome.message, /level "warn": use debug, info, notice, warning, error/);
});

Deno.test("the messages of a job are cut before they are stored", async () => {
  const said: (string | undefined)[] = [];
  await using backend = new MemoryBackend();
  const work = backend.work.bind(backend);
  backend.work = (options) =>
    work({
      ...options,
      run: (claim) => options.run({ ...claim, report: ({ message }) => Promise.resolve(void said.push(message)) }),
    });
  using feed = new TaskFeed(backend);
  const long = "👍".repeat(5_000);
  const job = defineJob({
    name: "chatty",
    input,
    run: async (_, ctx) => {
      await ctx.progress(0.5, long);
      await ctx.log(`a${long}`);
    },
  });
  await using worker = createWorker(backend, [job]);
  await worker.ready;
  const task = { id: newTaskId(), job: "chatty", owner: "me", input: {}, resultTtl: 60_000, retry: retryPolicy({}) };
  await backend.create(task);
  await feed.wait(task.id, "me", new AbortController().signal);
  assertEquals(said, [`${"👍".repeat(500)}…`, `a${"👍".repeat(499)}…`]);
});
