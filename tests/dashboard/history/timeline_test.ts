import { createWorker, defineJob, MemoryBackend } from "../../../mod.ts";
import { Histories } from "../../../src/dashboard/history/histories.ts";
import { timelineOf } from "../../../src/dashboard/history/timeline.ts";
import { newTaskId } from "../../../src/ids.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { openQuestions } from "../../../src/task.ts";
import { taskOf } from "../support/tasks.ts";
import { assertEquals, assertMatch } from "../../../tools/std.ts";
import type { TaskInfo } from "../../../backend.ts";
import { describeChange } from "../../../src/dashboard/history/describe_change.ts";

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

/** Changes of a task, each with what the timeline says of it. */
const CHANGES: { readonly [what: string]: readonly [Partial<TaskInfo>, Partial<TaskInfo>, readonly string[]] } = {
  "progress": [{ status: "RUNNING", attempt: 1 }, { status: "RUNNING", attempt: 1, progress: 0.5 }, []],
  "a request to stop": [
    { status: "RUNNING", attempt: 1 },
    { status: "RUNNING", attempt: 1, stopRequested: true },
    ["Was asked to stop"],
  ],
  "progress after a request to stop": [
    { status: "RUNNING", attempt: 1, stopRequested: true },
    { status: "RUNNING", attempt: 1, stopRequested: true, progress: 0.5 },
    [],
  ],
  "a failure without a message": [
    { status: "RUNNING", attempt: 1 },
    { status: "RETRYING", attempt: 1 },
    ["Attempt 1 failed"],
  ],
  "a dead worker": [
    { status: "RUNNING", attempt: 1 },
    { status: "PENDING", attempt: 1, message: "its worker has died" },
    ["Back in the queue: its worker has died"],
  ],
  "a worker that is gone without a message": [
    { status: "RUNNING", attempt: 1 },
    { status: "PENDING", attempt: 1 },
    ["Back in the queue: its worker is gone"],
  ],
  "parking": [
    { status: "RUNNING", attempt: 1 },
    { status: "PENDING", attempt: 1, parked: true },
    ["Waits without a worker"],
  ],
  "the end of parking": [
    { status: "PENDING", attempt: 1, parked: true },
    { status: "RUNNING", attempt: 1 },
    ["Attempt 1 goes on"],
  ],
  "one question of two that is answered": [
    { status: "INPUT_REQUIRED", attempt: 1, questions: [questionOf("Who?"), questionOf("Where to?")] },
    { status: "INPUT_REQUIRED", attempt: 1, questions: [questionOf("Where to?")] },
    ["Answered or expired: Who?"],
  ],
  "a second question beside one that is open": [
    { status: "INPUT_REQUIRED", attempt: 1, questions: [questionOf("Who?")] },
    { status: "INPUT_REQUIRED", attempt: 1, questions: [questionOf("Who?"), questionOf("Where to?")] },
    ["Asked: Where to?"],
  ],
  "a whole attempt between two events": [
    { status: "PENDING", attempt: 0 },
    { status: "COMPLETED", attempt: 1, finishedAt: 2_000 },
    ["Attempt 1 began"],
  ],
  "an end after a request to stop": [
    { status: "RUNNING", attempt: 1, stopRequested: true },
    { status: "CANCELLED", attempt: 1, work: "stopped", finishedAt: 2_000 },
    [],
  ],
};

function questionOf(message: string) {
  return { key: message, message, schema: form };
}

for (const [what, [before, after, texts]] of Object.entries(CHANGES)) {
  Deno.test(`a timeline has ${texts.length === 0 ? "no entry" : `"${texts.join(", ")}"`} for ${what}`, () => {
    const first = taskOf(before);
    assertEquals(describeChange(first, taskOf({ ...after, id: first.id, revision: 2 })), texts);
  });
}

Deno.test("a timeline has the steps of a task where they belong in time, also after its end, when the store has deleted them", () => {
  const histories = new Histories();
  const created = taskOf();
  const task = taskOf({ ...created, status: "RUNNING", attempt: 1, revision: 2, updatedAt: 1_100 });
  const { id } = created;
  const asked = taskOf({ id, status: "RUNNING", attempt: 1, stopRequested: true, revision: 3, updatedAt: 1_300 });
  const end = taskOf({ ...task, status: "COMPLETED", revision: 4, finishedAt: 1_400, updatedAt: 1_400 });
  histories.observe({ kind: "change", task: created });
  histories.read(task, [{ name: "load##orders", at: 1_200 }]);
  for (const now of [asked, end]) histories.observe({ kind: "change", task: now });
  assertEquals(timelineOf(end, histories.of(end.id)), [
    { at: 1_000, text: "Created" },
    { at: 1_100, text: "Attempt 1 began" },
    { at: 1_200, text: "Step load › orders is done" },
    { at: 1_300, text: "Was asked to stop" },
    { at: 1_400, text: "Completed" },
  ]);
});

Deno.test("of a task that was first observed in its first attempt, the timeline says that this one was not observed, and what came then", () => {
  const histories = new Histories();
  const running = taskOf({ status: "RUNNING", revision: 5, attempt: 1, updatedAt: 1_500 });
  const retrying = taskOf({ ...running, status: "RETRYING", revision: 6, updatedAt: 2_000, message: "It broke." });
  const again = taskOf({ ...running, revision: 7, attempt: 2, updatedAt: 3_000 });
  for (const task of [running, retrying, again]) histories.observe({ kind: "change", task });
  assertEquals(timelineOf(again, histories.of(running.id)), [
    { at: 1_000, text: "Created" },
    { at: 2_000, text: "1 attempt, which this page's server has not observed" },
    { at: 2_000, text: "It broke." },
    { at: 3_000, text: "Attempt 2 began" },
  ]);
});

Deno.test("of a task that was first observed before its first attempt, the timeline has all attempts", () => {
  const histories = new Histories();
  const waiting = taskOf({ revision: 2, message: "its job is paused" });
  const running = taskOf({ ...waiting, status: "RUNNING", revision: 3, attempt: 1, updatedAt: 2_000 });
  for (const task of [waiting, running]) histories.observe({ kind: "change", task });
  assertEquals(timelineOf(running, histories.of(running.id)).map(({ text }) => text), ["Created", "Attempt 1 began"]);
});

Deno.test("a timeline says why a task failed, also if nobody has said so, and has at most 100 entries of what happened between", () => {
  const texts = (task: TaskInfo, histories = new Histories()) =>
    timelineOf(task, histories.of(task.id)).map(({ text }) => text);
  const failed = taskOf({ status: "FAILED", finishedAt: 2_000, message: "The card was declined." });
  assertEquals(texts(failed), ["Created", "Failed: The card was declined."]);
  assertEquals(texts({ ...failed, message: undefined }), ["Created", "Failed: no reason given"]);
  const histories = new Histories();
  let task = taskOf();
  for (let attempt = 0; attempt <= 150; attempt++) {
    task = taskOf({ ...task, status: "RUNNING", attempt, revision: attempt + 1 });
    histories.observe({ kind: "change", task });
  }
  const [, first, ...more] = texts(task, histories);
  assertEquals([first, more.length], ["Attempt 51 began", 99]);
});
