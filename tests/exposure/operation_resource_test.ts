import {
  defineJob,
  isFinished,
  JobFault,
  MemoryBackend,
  OperationResourceStrategy,
  type TaskInfo,
  ToolError,
} from "../../mod.ts";
import { resultOrHandle, type Surface, ToolRegistry } from "../../strategy.ts";
import { merge } from "../../src/exposure/merge.ts";
import { BackendError, InvalidInput, TaskExpired, TaskNotFound, TaskNotReady } from "../../src/errors.ts";
import { CallCancelled } from "../../src/exposure/surface.ts";
import { newTaskId } from "../../src/ids.ts";
import { pause } from "../../src/waiting.ts";
import { assert, assertEquals, assertRejects } from "../../tools/std.ts";
import { Bench, call, cancelAtHalf, endless, ME, PLAIN, report, start, toolOf } from "./support.ts";

async function read(surface: Surface, id: string, owner = ME): Promise<string> {
  const [template] = surface.templates;
  assert(template);
  const [content, ...more] = await template.read({ id }, owner);
  assert(content !== undefined && "text" in content && more.length === 0);
  return content.text;
}

Deno.test("a job gets one tool, resource templates for its results and its logs, and the native task operations", async () => {
  await using bench = new Bench(new OperationResourceStrategy({ notifications: true }));
  const surface = bench.expose(report, { name: "make_report" });
  assertEquals(surface.tools.map(({ name, title, description }) => [name, title, description]), [
    ["make_report", "Report", "Makes a report"],
  ]);
  const tool = toolOf(surface, "make_report");
  assertEquals(tool.inputSchema, report.inputSchema);
  // A result that is too large is answered with a handle.
  assertEquals(tool.outputSchema, report.outputSchema && resultOrHandle(report.outputSchema));
  assertEquals(surface.templates.map(({ uriTemplate }) => uriTemplate), [
    "mcp://results/report/{task_id}",
    "mcp://results/report/{task_id}/log",
    "mcp://results/report/latest{?page}",
  ]);
  const form = { inlineBytes: 100_000, typed: true, pageCall: undefined };
  assertEquals(surface.tasks, { cancellable: ["report"], forms: new Map([["report", form]]), notifications: true });
});

Deno.test("its schemas say what a call may lack, and that a handle may have questions for a model", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const surface = bench.expose(report, { askFor: { user: "Whose report?" }, answers: "model" });
  const { inputSchema, outputSchema } = toolOf(surface, "report");
  assertEquals([inputSchema.required, JSON.stringify(outputSchema).includes('"questions"')], [[], true]);
});

Deno.test("only known principals find the newest result of a job", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  assertEquals(bench.expose(report).templates.map(({ knownOnly }) => knownOnly), [undefined, undefined, true]);
});

Deno.test("a server of several jobs sends the results of each as that says, and notifies if one of them asks for it", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const one = bench.expose(report, { inlineBytes: 20_000 });
  const other = new OperationResourceStrategy({ notifications: true }).expose(
    new ToolRegistry().register(endless),
    bench.tasks,
  );
  const { forms, notifications } = merge([one, other], bench.tasks).tasks ?? {};
  assertEquals(["report", "endless"].map((job) => forms?.get(job)?.inlineBytes), [20_000, 100_000]);
  assertEquals(notifications, true);
});

Deno.test("a call does not go on with a task of another job", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const { id } = await start(bench.expose(report), "report", { user: "Ada" });
  const other = toolOf(bench.expose(endless), "endless");
  const ctx = { owner: ME, client: PLAIN, signal: new AbortController().signal };
  const stored: string[] = [];
  const answer = (task: TaskInfo) => Promise.resolve((stored.push(task.id), task));
  await assertRejects(async () => await other.resume?.(id, ctx, answer), TaskNotFound, "is a task of report");
  assertEquals(stored, []);
});

Deno.test("cancellation and notifications are offered only if enabled", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const { cancellable, notifications } = bench.expose(endless, { cancel: false }).tasks ?? {};
  assertEquals([cancellable, notifications], [[], false]);
});

Deno.test("a plain call waits, receives the changes, and answers with the result and its URI", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const surface = bench.expose(report);
  await bench.work(report);
  const changes: TaskInfo[] = [];
  const result = await call(surface, "report", { user: "Ada" }, { onChange: (task) => changes.push(task) });
  assert(changes.some(({ status }) => status === "RUNNING"));
  const uri = `mcp://results/report/${changes[0]?.id}`;
  assertEquals([result.structuredContent, result._meta, result.isError], [
    { total: 3 },
    { resourceUri: uri },
    undefined,
  ]);
  assertEquals(result.content, [{ type: "text", text: '{"total":3}' }]);
});

Deno.test("a job's error is an error result, and its fault is thrown with its code", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const surface = bench.expose(report);
  await bench.work(report);
  const failed = await call(surface, "report", { user: "Ada", fail: "error" });
  assertEquals([failed.isError, failed.content], [true, [{ type: "text", text: "Failed: no user Ada" }]]);
  const fault = await assertRejects(() => call(surface, "report", { user: "Ada", fail: "fault" }), JobFault, "broken");
  assertEquals(fault.code, -32001);
});

Deno.test("an input that does not fit is refused, the error names the field, and nothing is queued", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const surface = bench.expose(report);
  await assertRejects(() => call(surface, "report", {}), InvalidInput, "input for report: user");
  await assertRejects(() => start(surface, "report", { user: 7 }), InvalidInput, "input for report: user");
  assertEquals((await bench.tasks.list(ME)).tasks, []);
});

for (
  const { what, cancel, reason, status } of [
    {
      what: "cancelling a call cancels its task",
      cancel: true,
      status: "CANCELLED",
      reason: CallCancelled,
    },
    { what: "a lost connection does not cancel the task", cancel: true, status: "RUNNING", reason: Error },
    {
      what: "a task that may not be cancelled outlives its call",
      cancel: false,
      status: "RUNNING",
      reason: CallCancelled,
    },
  ]
) {
  Deno.test(what, async () => {
    await using bench = new Bench(new OperationResourceStrategy());
    const surface = bench.expose(endless, { cancel });
    await bench.work(endless);
    const caller = new AbortController();
    const answer = assertRejects(() => call(surface, "endless", {}, { signal: caller.signal }), reason, "enough");
    const half = Promise.withResolvers<string>();
    bench.backend.watch((event) => {
      if (event.kind === "change" && event.task.progress === 0.5) half.resolve(event.task.id);
    });
    const id = await half.promise;
    caller.abort(new reason("enough"));
    await answer;
    const task = await bench.tasks.get(id, ME);
    assertEquals<string>(task.status, status);
    if (task.status === "CANCELLED") assertEquals(task.work, "stopped");
  });
}

Deno.test("cancelling a call cancels its task even if the store fails at first", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const surface = bench.expose(endless);
  await bench.work(endless);
  const { backend } = bench;
  const failing = [() => Promise.reject(new BackendError("Cannot cancel the task: the store is away."))];
  backend.cancel = (...args) => (failing.pop() ?? MemoryBackend.prototype.cancel.bind(backend))(...args);
  const id = await cancelAtHalf(surface);
  const { status } = await bench.tasks.get(id, ME);
  assertEquals([status, failing.length], ["CANCELLED", 0]);
});

Deno.test("the owner can read the result of a started task as a resource", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const surface = bench.expose(report);
  const { id } = await start(surface, "report", { user: "Ada" });
  await assertRejects(() => read(surface, id), TaskNotReady, "PENDING");
  await bench.work(report);
  await bench.until(id, isFinished);
  assertEquals(await read(surface, id), '{"total":3}');
  await assertRejects(() => read(surface, id, "stranger"), TaskNotFound);
});

Deno.test("reading the resource of a task that has failed has at most two fifths of the room of an answer for its error", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const long = defineJob({
    name: "long",
    input: { type: "object" },
    run: () => {
      throw new ToolError("x".repeat(1_000_000));
    },
  });
  const surface = bench.expose(long);
  await bench.work(long);
  const { id } = await start(surface, "long", {});
  await bench.until(id, isFinished);
  const { message } = await assertRejects(() => read(surface, id), JobFault, "it is FAILED: xxx");
  assertEquals(message.length, 40_001);
});

Deno.test("reading a resource that is unknown, of another job, expired or without a result has an error of its own", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const surface = bench.expose(report);
  const other = bench.expose(endless);
  await bench.work(report);
  await assertRejects(() => read(surface, newTaskId()), TaskNotFound, "unknown");
  const failed = await start(surface, "report", { user: "Ada", fail: "error" });
  await bench.until(failed.id, isFinished);
  await assertRejects(() => read(surface, failed.id), JobFault, "it is FAILED: no user Ada");
  await assertRejects(() => read(other, failed.id), TaskNotFound, "is a task of report, not of endless");
  const waiting = await start(other, "endless", {});
  await bench.tasks.cancel(waiting.id, ME);
  await assertRejects(() => read(other, waiting.id), JobFault, "it is CANCELLED");

  const short = await start(surface, "report", { user: "Ada" }, 1);
  const { updatedAt } = await bench.until(short.id, isFinished);
  while (Date.now() <= updatedAt + 1) await pause(1);
  await assertRejects(() => read(surface, short.id), TaskExpired, "has expired");
});
