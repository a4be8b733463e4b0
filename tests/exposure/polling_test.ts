import { defineJob, isFinished, PollingExposureStrategy, SingleToolExposureStrategy } from "../../mod.ts";
import type { Surface, ToolResult } from "../../strategy.ts";
import { InvalidInput, TaskNotFound } from "../../src/errors.ts";
import { newTaskId } from "../../src/ids.ts";
import { validate } from "../../src/schema/schema.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { Bench, call, endless, ME, PLAIN, report, toolOf } from "./support.ts";

/** Calls a tool, and checks that its text and data are equal, and fit the tool's schema. */
async function ask(surface: Surface, name: string, input: unknown, owner?: string): Promise<ToolResult> {
  const answer = await call(surface, name, input, { owner });
  const { outputSchema } = toolOf(surface, name);
  assert(outputSchema);
  if (answer.structuredContent) {
    assertEquals(answer.content, [{ type: "text", text: JSON.stringify(answer.structuredContent) }]);
    await validate(outputSchema, answer.structuredContent, name);
  }
  return answer;
}

async function start(surface: Surface, name: string, input: unknown): Promise<string> {
  const { structuredContent } = await ask(surface, name, input);
  assert(typeof structuredContent?.token === "string");
  assertEquals(structuredContent, { token: structuredContent.token, status: "PENDING" });
  return structuredContent.token;
}

Deno.test("a job gets four tools and resource templates for its results and its logs, or three without cancellation", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const names = bench.expose(report).tools.map(({ name }) => name);
  assertEquals(names, ["report_start", "report_status", "report_result", "report_cancel"]);
  const { tools, templates, tasks } = bench.expose(defineJob({ name: "plain", input: report.input }), {
    cancel: false,
  });
  assertEquals(tools.map(({ name }) => name), ["plain_start", "plain_status", "plain_result"]);
  assertEquals(templates.map(({ uriTemplate }) => uriTemplate), [
    "mcp://results/plain/{task_id}",
    "mcp://results/plain/{task_id}/log",
    "mcp://results/plain/latest{?page}",
  ]);
  assertEquals(tasks, undefined);
});

Deno.test("each polling tool describes what it does, its input and the next tool", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const surface = bench.expose(report);
  const start = toolOf(surface, "report_start");
  assertEquals([start.title, start.inputSchema], ["Report: start", report.inputSchema]);
  assertEquals(start.annotations, { readOnlyHint: false, openWorldHint: false });
  for (const text of ["Makes a report", "report_status", "wait_seconds 25"]) {
    assertStringIncludes(start.description, text);
  }
  assertStringIncludes(toolOf(surface, "report_status").description, "its result once the status is COMPLETED");
  for (const name of ["report_status", "report_result"]) assert(toolOf(surface, name).annotations?.readOnlyHint);
  assertEquals(toolOf(surface, "report_cancel").annotations?.destructiveHint, true);
});

Deno.test("a registration says how long its status and result tools may wait", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const tools = bench.expose(report, { answerWithin: 5_000 }).tools.map((tool) => JSON.stringify(tool));
  assertEquals(tools.map((tool) => tool.includes("at most 5, default 0")), [false, true, true, false]);
  assertStringIncludes(tools[0] ?? "", "wait_seconds 5 until");
});

Deno.test("the tool that starts a job asks for the fields that a call may lack, and does not require them", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const { askFor, inputSchema } = toolOf(
    bench.expose(report, { askFor: { user: "Whose report?" } }),
    "report_start",
  );
  assertEquals(askFor?.map(({ key, message }) => [key, message]), [["user", "Whose report?"]]);
  assertEquals(inputSchema.required, []);
});

Deno.test("where no call waits, a model is told to call again after a while, not to wait for 0 seconds", async () => {
  await using bench = new Bench(new PollingExposureStrategy({ answerWithin: 0 }));
  const { description } = toolOf(bench.expose(report), "report_start");
  assertStringIncludes(description, "call report_status with it after a while until the status is COMPLETED");
});

Deno.test("with its token a task is started, followed, and its result read", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const surface = bench.expose(report);
  const token = await start(surface, "report_start", { user: "Ada" });
  const early = await ask(surface, "report_result", { token });
  assert(early.isError);
  assertEquals(early.structuredContent?.status, "PENDING");
  assertStringIncludes(String(early.structuredContent?.error), "report_status");

  await bench.work(report);
  await bench.until(token, isFinished);
  const { structuredContent: status } = await ask(surface, "report_status", { token });
  assertEquals(status, { token, status: "COMPLETED", result: { total: 3 } });
  const result = await ask(surface, "report_result", { token });
  assertEquals(result.structuredContent, { token, status: "COMPLETED", result: { total: 3 } });
  assertEquals(result.isError, undefined);
});

Deno.test("the status of a running task has its progress and message", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const surface = bench.expose(endless);
  await bench.work(endless);
  const token = await start(surface, "endless_start", {});
  await bench.until(token, ({ progress }) => progress === 0.5);
  const { structuredContent } = await ask(surface, "endless_status", { token });
  assertEquals(structuredContent, { token, status: "RUNNING", progress: 0.5, message: "waiting" });
});

Deno.test("the result of a failed task is an error with the reason, and its status has the reason as message", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const surface = bench.expose(report);
  await bench.work(report);
  for (const [fail, error] of [["error", "no user Ada"], ["fault", "broken"]] as const) {
    const token = await start(surface, "report_start", { user: "Ada", fail });
    await bench.until(token, isFinished);
    const result = await ask(surface, "report_result", { token });
    assertEquals(result.structuredContent, { token, status: "FAILED", error });
    assertEquals(result.isError, true);
    const status = await ask(surface, "report_status", { token });
    assertEquals(status.structuredContent, { token, status: "FAILED", message: error });
    assertEquals(status.isError, undefined);
  }
});

Deno.test("a task is cancelled with its token, once", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const surface = bench.expose(endless);
  await bench.work(endless);
  const token = await start(surface, "endless_start", {});
  await bench.until(token, ({ progress }) => progress === 0.5);
  const cancelled = await ask(surface, "endless_cancel", { token });
  assertEquals(cancelled.structuredContent?.status, "CANCELLED");
  assertStringIncludes(String(cancelled.structuredContent?.message), "its work has stopped");
  const again = await ask(surface, "endless_cancel", { token });
  assertEquals([again.isError, again.structuredContent?.status], [true, "CANCELLED"]);
  assertStringIncludes(String(again.structuredContent?.error), "already CANCELLED");
  const result = await ask(surface, "endless_result", { token });
  assertEquals([result.isError, result.structuredContent?.status], [true, "CANCELLED"]);
});

Deno.test("unknown tokens and those of other owners have the same error; for one of another job it names that job", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const surface = bench.expose(report);
  const other = bench.expose(endless);
  const token = await start(surface, "report_start", { user: "Ada" });
  for (const kind of ["status", "result", "cancel"]) {
    const unknown = newTaskId();
    const refusals = [
      await ask(surface, `report_${kind}`, { token: unknown }),
      await ask(surface, `report_${kind}`, { token }, "stranger"),
      await ask(other, `endless_${kind}`, { token }, "stranger"),
    ];
    for (const refusal of refusals) {
      const [block] = refusal.content;
      assert(refusal.isError && block?.type === "text");
      assertEquals(block.text.replace(token, unknown), refusals[0]?.content.map((one) => "text" in one && one.text)[0]);
      assertStringIncludes(block.text, "the id is unknown");
    }
    const { isError, content } = await ask(other, `endless_${kind}`, { token });
    const text = `Task "${token}" is a task of report, not of endless. Use the tools of report for it; ` +
      "if there are none, this server does not offer report.";
    assertEquals([isError, content], [true, [{ type: "text", text }]]);
  }
  assertEquals((await ask(surface, "report_status", { token })).structuredContent?.status, "PENDING");
  const log = other.templates.find(({ uriTemplate }) => uriTemplate.endsWith("/log"));
  await assertRejects(async () => await log?.read({ id: token }, ME), TaskNotFound, "is a task of report");
  await assertRejects(async () => await log?.read({ id: token, page: "1" }, "stranger"), TaskNotFound, "unknown");
});

Deno.test("an input or token that does not fit is refused, the error names the field, and nothing is queued", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const surface = bench.expose(report);
  await assertRejects(() => call(surface, "report_start", { user: 7 }), InvalidInput, "input for report: user");
  await assertRejects(() => call(surface, "report_status", {}), InvalidInput, "input for report_status: token");
  await assertRejects(() => call(surface, "report_status", { token: "x", more: 1 }), InvalidInput, "more");
  assertEquals((await bench.tasks.list("me")).tasks, []);
});

Deno.test("an error that is too large for an answer is cut", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const long = defineJob({
    name: "long",
    input: { type: "object" },
    attempts: 1,
    run: () => {
      throw new Error("x".repeat(1_000_000));
    },
  });
  const surface = bench.expose(long);
  await bench.work(long);
  const token = await start(surface, "long_start", {});
  await bench.until(token, isFinished);
  const { structuredContent, isError } = await ask(surface, "long_result", { token });
  assertEquals([structuredContent?.status, isError], ["FAILED", true]);
  assertEquals(structuredContent?.error, `${"x".repeat(25_000)}…`);
});

Deno.test("status waits up to wait_seconds for a change, and result for the end", async () => {
  await using bench = new Bench(new PollingExposureStrategy({ answerWithin: 3_600_000 }));
  const surface = bench.expose(report);
  const token = await start(surface, "report_start", { user: "Ada" });
  const [changed, ended] = ["status", "result"].map((kind) =>
    ask(surface, `report_${kind}`, { token, wait_seconds: 3_600 })
  );
  await bench.work(report);
  assert(["RUNNING", "COMPLETED"].includes(String((await changed)?.structuredContent?.status)));
  assertEquals((await ended)?.structuredContent, { token, status: "COMPLETED", result: { total: 3 } });
});

/** The strategies that start a task and look at it, with these tools for a job; a look waits for an hour. */
const LOOKS = (job: string) =>
  [
    [
      new PollingExposureStrategy({ answerWithin: 3_600_000 }),
      `${job}_start`,
      {},
      [`${job}_status`, `${job}_result`],
      {},
    ],
    [new SingleToolExposureStrategy({ answerWithin: 3_600_000 }), job, { action: "start" }, [job], { action: "check" }],
  ] as const;

Deno.test("a look returns as soon as the task has begun, and a start passes on the trace of its caller", async () => {
  const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
  for (const [strategy, start, begin, [look], check] of LOOKS("endless")) {
    await using bench = new Bench(strategy);
    const traces: unknown[] = [];
    const create = bench.backend.create.bind(bench.backend);
    bench.backend.create = (task, admit) => {
      traces.push(task.trace);
      return create(task, admit);
    };
    const surface = bench.exposeAll(endless);
    const { structuredContent: begun } = await call(surface, start, begin, { trace });
    const looking = call(surface, look, { ...check, token: begun?.token, wait_seconds: 3_600 });
    await bench.work(endless);
    assertEquals([(await looking).structuredContent?.status, traces], ["RUNNING", [trace]]);
  }
});

Deno.test("a look that goes on after its client was asked waits again, and only for a task of its job", async () => {
  for (const [strategy, start, begin, looks] of LOOKS("report")) {
    for (const look of looks) {
      await using bench = new Bench(strategy);
      const [surface, others] = [bench.expose(report), bench.expose(endless)];
      const { structuredContent } = await call(surface, start, { ...begin, ...withInput(begin, { user: "Ada" }) });
      const id = String(structuredContent?.token);
      const ctx = { owner: ME, client: PLAIN, signal: new AbortController().signal };
      const stored: string[] = [];
      const resume = async (surface: Surface, name: string) =>
        await toolOf(surface, name).resume?.(id, ctx, async (task) => {
          stored.push(task.id);
          await bench.work(report);
          return task;
        });
      await assertRejects(() => resume(others, look.replace("report", "endless")), TaskNotFound);
      assertEquals(stored, []);
      const answer = await resume(surface, look);
      assert(answer?.kind === "result");
      assert(answer.result.structuredContent?.status !== "PENDING");
      assertEquals([answer.result.isError, stored], [undefined, [id]]);
    }
  }
});

/** The input of a job, as the tool of one strategy takes it. */
function withInput(begin: object, input: object): object {
  return "action" in begin ? { input } : input;
}

Deno.test("a look returns the questions of a task only where a model may answer them, as its schema says", async () => {
  for (const [strategy, , , looks] of LOOKS("report")) {
    for (const answers of ["model", "person"] as const) {
      await using bench = new Bench(strategy);
      const surface = bench.expose(report, { answers });
      for (const look of looks) {
        const { questions } = Object(toolOf(surface, look).outputSchema?.properties);
        assertEquals(questions !== undefined, answers === "model");
      }
    }
  }
});

Deno.test("a result that is not ready within the wait is not an error, and a wait that is cut says so", async () => {
  await using bench = new Bench(new PollingExposureStrategy({ answerWithin: 20 }));
  const surface = bench.expose(report);
  const token = await start(surface, "report_start", { user: "Ada" });
  const message = "wait_seconds is at most 0.02, not 600";
  for (const kind of ["status", "result"]) {
    const early = await ask(surface, `report_${kind}`, { token, wait_seconds: 600 });
    assertEquals([early.isError, early.structuredContent], [undefined, { token, status: "PENDING", message }]);
  }
});
