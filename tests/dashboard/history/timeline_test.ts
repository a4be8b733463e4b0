import { createWorker, defineJob, MemoryBackend } from "../../../mod.ts";
import { Histories } from "../../../src/dashboard/history/histories.ts";
import { timelineOf } from "../../../src/dashboard/history/timeline.ts";
import { newTaskId } from "../../../src/ids.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { openQuestions } from "../../../src/task.ts";
import { taskOf } from "../support/tasks.ts";
import { assertEquals, assertMatch } from "../../../tools/std.ts";

const form = { type: "object", properties: { yes: { type: "boolean" } } } as const;

Deno.test("a timeline has the creation of a task, its attempts, why one failed, what was asked, and its end", async () => {
  await using backend = new MemoryBackend();
  const histories = new Histories();
  backend.watch((event) => histories.observe(event));
  const job = defineJob({
    name: "pay",
    input: { type: "object" },
    run: async (_, ctx) => {
      if (ctx.attempt === 1) throw new Error("The bank is closed");
      await ctx.elicit({ message: "Really?", schema: form });
      return "paid";
    },
  });
  await using worker = createWorker(backend, [job], { onError: () => {} });
  await worker.ready;
  const id = newTaskId();
  const retry = { attempts: 2, delay: 1, maxDelay: 1 };
  backend.watch((event) => {
    if (event.kind !== "change") return;
    const [question] = openQuestions(event.task);
    if (question) void backend.answer(id, "me", { [question.key]: { action: "accept", content: { yes: true } } });
  });
  using feed = new TaskFeed(backend);
  await backend.create({ id, job: "pay", owner: "me", input: {}, resultTtl: 60_000, retry });
  const task = await feed.wait(id, "me", new AbortController().signal);
  assertEquals(timelineOf(task, histories.of(id)).map(({ text }) => text), [
    "Created",
    "Attempt 1 began",
    "Attempt 1 of 2 failed: The bank is closed",
    "Attempt 2 began",
    "Asked: Really?",
    "Answered or expired: Really?",
    "Completed",
  ]);
  const times = timelineOf(task, histories.of(id)).map(({ at }) => at);
  assertEquals(times, [...times].sort((a, b) => a - b));
});

Deno.test("of a task whose beginning was not observed, the timeline says so", () => {
  const task = {
    id: newTaskId(),
    job: "pay",
    owner: "me",
    status: "CANCELLED",
    work: "stop_requested",
    revision: 7,
    attempt: 2,
    createdAt: 1,
    updatedAt: 9,
    finishedAt: 9,
    resultTtl: 60_000,
    retryOf: "another",
  } as const;
  const [created, observed, ended, ...more] = timelineOf(task, undefined).map(({ text }) => text);
  assertEquals(created, "Created, to repeat another");
  assertMatch(observed ?? "", /2 attempts, which .* has not observed/);
  assertMatch(ended ?? "", /Cancelled: .*has not confirmed/);
  assertEquals(more, []);
});

Deno.test("a timeline has the end of a task, although a failover has lost changes that were observed", () => {
  const histories = new Histories();
  const task = taskOf({ status: "RUNNING", revision: 7, attempt: 1 });
  const end = taskOf({ ...task, status: "COMPLETED", revision: 4, finishedAt: 2_000, updatedAt: 2_000 });
  for (const now of [task, end, { ...task, revision: 8 }]) histories.observe({ kind: "change", task: now });
  const history = histories.of(task.id);
  assertEquals([history?.last, timelineOf(end, history).at(-1)], [end, { at: 2_000, text: "Completed" }]);
});

Deno.test("a timeline goes on with what a failover has left of a task, although later changes were observed", () => {
  const histories = new Histories();
  const task = taskOf({ status: "RUNNING", revision: 7, attempt: 2 });
  const left = taskOf({ ...task, status: "RETRYING", revision: 3, attempt: 1, message: "Attempt 1 failed" });
  const again = taskOf({ ...task, revision: 4 });
  const texts = () => histories.of(task.id)?.entries.map(({ text }) => text);
  histories.observe({ kind: "change", task });
  histories.observe({ kind: "change", task: left }); // Without a gap, it is an event that comes late.
  assertEquals(texts(), []);
  histories.observe({ kind: "gap" });
  histories.observe({ kind: "change", task: left });
  histories.observe({ kind: "change", task: again });
  histories.observe({ kind: "change", task: left });
  assertEquals(texts(), ["Attempt 1 failed", "Attempt 2 began"]);
});
