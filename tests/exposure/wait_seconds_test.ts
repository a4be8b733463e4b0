import { AdaptiveExposureStrategy, type TaskInfo } from "../../mod.ts";
import type { CallContext } from "../../strategy.ts";
import { sameUntilAsked, waitForSeconds, waitSecondsSchema, withNote } from "../../src/exposure/wait_seconds.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";
import { RUNNING_TASK } from "../support/tasks.ts";
import { Bench, ME, PLAIN, report, start } from "./support.ts";

const LIVE: TaskInfo = { ...RUNNING_TASK, job: "report", owner: ME };

Deno.test("the schema of wait_seconds says how long a wait may be, and how long it is by default", () => {
  const how = "How long to wait for the task to change its status, in seconds: at most 25,";
  assertEquals(waitSecondsSchema({ most: 25_000, byDefault: 0 }), {
    type: "number",
    minimum: 0,
    description: `${how} default 0`,
  });
  const { description } = waitSecondsSchema({ most: 25_000, byDefault: 25_000 });
  assertEquals(description, `${how} which is the default`);
});

Deno.test("to a model a task that waits for its next worker still runs, but one that sleeps, asks it or is new does not", () => {
  const goesOn = sameUntilAsked(LIVE, { elicitation: false, tool: "task_answer" });
  const back: TaskInfo = { ...LIVE, status: "PENDING", revision: 3 };
  const asking: TaskInfo = { ...LIVE, status: "INPUT_REQUIRED", questions: [{ key: "q", message: "?", schema: {} }] };
  const others: readonly TaskInfo[] = [
    { ...back, revision: 2 },
    { ...back, dueAt: 3 },
    { ...LIVE, status: "RETRYING" },
    asking,
  ];
  assertEquals([LIVE, back, ...others].map(goesOn), [true, true, false, false, false, false]);
  assertEquals(sameUntilAsked(asking, { elicitation: false, tool: "task_answer" })(asking), false);
  assertEquals(sameUntilAsked(asking, { elicitation: true, tool: "task_answer" })(asking), true);
});

Deno.test("a wait tells how the task is, also one of 0 s, and that questions are left to others unless it says otherwise", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const before = await start(bench.expose(report), "report", { user: "Ada" });
  const told: unknown[] = [];
  const caller = new AbortController();
  const ctx: CallContext = {
    owner: ME,
    client: PLAIN,
    signal: caller.signal,
    onChange: ({ status }, whenNobodyCanAnswer) => told.push(status, whenNobodyCanAnswer),
  };
  const wait = (seconds: number | undefined, most: number) =>
    waitForSeconds(() => true, before, seconds, { most, byDefault: 0 }, bench.tasks, ctx);
  assertEquals([(await wait(0, 20)).cut, told], [undefined, ["PENDING", "wait"]]);
  assertEquals((await wait(0.02, 20)).cut, undefined);
  assertEquals((await wait(0.03, 20)).cut, "wait_seconds is at most 0.02, not 0.03");
  told.length = 0;
  const waiting = wait(3_600, 3_600_000);
  await bench.work(report);
  assertEquals((await waiting).task.status, "COMPLETED");
  assertEquals([...new Set(told)], ["PENDING", "wait", "RUNNING"]);
});

Deno.test("a wait ends with its call", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const before = await start(bench.expose(report), "report", { user: "Ada" });
  const caller = new AbortController();
  const ctx: CallContext = { owner: ME, client: PLAIN, signal: caller.signal };
  const limits = { most: 3_600_000, byDefault: 3_600_000 };
  const waiting = waitForSeconds(() => true, before, undefined, limits, bench.tasks, ctx);
  caller.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
});

Deno.test("a note that a wait was cut leaves the message of the task as it is", () => {
  const response = { token: "t", status: "RUNNING", message: "loading" } as const;
  assertEquals(withNote(response, "cut short").message, "loading (cut short)");
  assertEquals(withNote({ ...response, message: "" }, "cut short").message, "cut short");
  assertEquals(withNote(response, undefined), response);
});
