import { z } from "zod";
import {
  AdaptiveExposureStrategy,
  createWorker,
  defineJob,
  DefinitionError,
  type Job,
  PollingExposureStrategy,
  type TaskInfo,
} from "../../mod.ts";
import type { Surface, ToolResult } from "../../strategy.ts";
import { InvalidInput } from "../../src/errors.ts";
import { merge } from "../../src/exposure/merge.ts";
import { validate } from "../../src/schema/schema.ts";
import { fits } from "../../src/text.ts";
import { doneWithin, pause } from "../../src/waiting.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../tools/std.ts";
import { Bench, call, callFor, cancelAtHalf, endless, ME, PLAIN, report, start, toolOf } from "./support.ts";

const ACCEPTED = { client: { ...PLAIN, tasks: "accepted" } } as const;

/** A job that ends when the test says so. */
class Gate {
  readonly #opened = Promise.withResolvers<void>();

  readonly job: Job = defineJob({
    name: "gated",
    description: "Waits for the test",
    input: z.object({}),
    output: z.object({ total: z.number() }),
    run: async (_, { progress }) => {
      await progress(0.5, "halfway");
      await this.#opened.promise;
      return { total: 1 };
    },
  });

  open(): void {
    this.#opened.resolve();
  }
}

/** The fields of a polling response. */
function fieldsOf({ structuredContent }: ToolResult): { readonly [key: string]: unknown } {
  assert(structuredContent);
  return structuredContent;
}

Deno.test("each job gets one tool, and all jobs share three more for clients without tasks", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(report, endless);
  const listed = (tasks: boolean, known: boolean) =>
    surface.tools.filter(({ listedTo }) => listedTo?.({ tasks, known, elicitation: false }) ?? true).map(({ name }) =>
      name
    );
  assertEquals(listed(false, true), ["report", "endless", "task_status", "task_cancel", "task_list"]);
  assertEquals(listed(false, false), ["report", "endless", "task_status", "task_cancel"]);
  assertEquals(listed(true, true), ["report", "endless"]);
  assertEquals(surface.templates.map(({ name }) => name), [
    ...["report results", "report logs", "report latest result"],
    ...["endless results", "endless logs", "endless latest result"],
  ]);
});

Deno.test("a prefix distinguishes the shared tools of two servers in one client", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ toolPrefix: "reports_", answerWithin: 0 }));
  const surface = bench.exposeAll(report);
  assertEquals(surface.tools.map(({ name }) => name).slice(1), [
    "reports_task_status",
    "reports_task_cancel",
    "reports_task_list",
  ]);
  const { next } = fieldsOf(await call(surface, "report", { user: "Ada" }));
  assertStringIncludes(String(next), "reports_task_status");
});

Deno.test("a call whose task starts later than the call would wait returns its handle at once", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 600_000 }));
  const later = defineJob({ name: "later", input: { type: "object" }, delay: 3_600_000 });
  const answer = call(bench.exposeAll(later), "later", {});
  answer.catch(() => {}); // It may still wait as the bench closes.
  assert(await doneWithin(answer, 10_000));
  assertEquals(fieldsOf(await answer).status, "PENDING");
});

Deno.test("a client with tasks gets the task at once of a job that starts later than the call would wait", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ inlineWithin: 600_000 }));
  const later = defineJob({ name: "later", input: { type: "object" }, delay: 3_600_000 });
  const answer = callFor(bench.exposeAll(later), "later", {}, ACCEPTED);
  answer.catch(() => {}); // It may still wait as the bench closes.
  assert(await doneWithin(answer, 10_000));
  assertEquals((await answer).kind, "task");
});

Deno.test("there is a task_cancel if the task of any job may be cancelled, and none otherwise", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surfaces = [bench.expose(report, { cancel: false }), bench.expose(endless)];
  const hasCancel = (...of: readonly Surface[]) =>
    merge(of, bench.tasks).tools.some(({ name }) => name === "task_cancel");
  assertEquals([hasCancel(...surfaces.slice(0, 1)), hasCancel(...surfaces)], [false, true]);
});

Deno.test("a prefix that would give the shared tools names which clients refuse is refused, with the reason", () => {
  new AdaptiveExposureStrategy({ toolPrefix: "x".repeat(53) });
  for (const toolPrefix of ["reports.", "my reports_", "é", "x".repeat(54), 7 as unknown as string]) {
    const response = "as toolPrefix of AdaptiveExposureStrategy: it must be at most 53 letters, digits,";
    assertThrows(() => new AdaptiveExposureStrategy({ toolPrefix }), DefinitionError, response);
  }
});

Deno.test("a tool whose name clients refuse is not offered, whatever the strategy adds to the job's name", async () => {
  const named = (name: string) => defineJob({ name, input: { type: "object" } });
  for (
    const [strategy, name, refused] of [
      [new AdaptiveExposureStrategy(), "billing.report", "billing.report"],
      [new AdaptiveExposureStrategy(), "x".repeat(65), "x".repeat(65)],
      [new PollingExposureStrategy(), "x".repeat(58), `${"x".repeat(58)}_status`],
    ] as const
  ) {
    await using bench = new Bench(strategy);
    assertThrows(() => bench.exposeAll(named(name)), DefinitionError, `Cannot offer a tool named "${refused}"`);
  }
  await using bench = new Bench(new PollingExposureStrategy());
  bench.exposeAll(named("x".repeat(57)));
  await using adaptive = new Bench(new AdaptiveExposureStrategy());
  merge([adaptive.expose(named("billing.report"), { name: "billing_report" })], adaptive.tasks);
});

Deno.test("a tool whose definition no message could carry is not offered: its list would break the connection of a client", async () => {
  const large = "x".repeat(780_000);
  const described = (description: string) => defineJob({ name: "report", description, input: { type: "object" } });
  const input = { type: "object", properties: { user: { type: "string", description: large } } } as const;
  for (const job of [described(large), defineJob({ name: "report", input })]) {
    await using bench = new Bench(new AdaptiveExposureStrategy());
    const why = 'Cannot offer the tool "report": its description and schemas have more than 780000 bytes as JSON';
    assertThrows(() => bench.exposeAll(job), DefinitionError, why);
  }
  await using bench = new Bench(new AdaptiveExposureStrategy());
  bench.exposeAll(described("x".repeat(700_000)));
});

Deno.test("a client without tasks gets the result of a job that ends in time", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(report);
  await bench.work(report);
  const result = await call(surface, "report", { user: "Ada" });
  assertEquals([result.structuredContent, result.isError], [{ total: 3 }, undefined]);
});

Deno.test("a client without tasks gets a handle for a longer job, and the result with its token", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 20 }));
  const gate = new Gate();
  const surface = bench.exposeAll(gate.job);
  await bench.work(gate.job);
  const handle = await call(surface, "gated", {});
  assertEquals(handle.isError, undefined);
  const { token, status, next } = fieldsOf(handle);
  assertMatch(String(status), /^(PENDING|RUNNING)$/);
  assertEquals(
    next,
    "Call task_status with this token after a while; it returns the result once the job has ended.",
  );
  gate.open();
  await bench.until(String(token), ({ status }) => status === "COMPLETED");
  const ended = fieldsOf(await call(surface, "task_status", { token }));
  assertEquals(ended, { token, status: "COMPLETED", result: { total: 1 } });
});

Deno.test("a handle and a result both fit the output schema", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 0 }));
  const surface = bench.exposeAll(report);
  const { outputSchema } = toolOf(surface, "report");
  assert(outputSchema);
  assertEquals(outputSchema.type, "object");
  await validate(outputSchema, fieldsOf(await call(surface, "report", { user: "Ada" })), "handle");
  await validate(outputSchema, { total: 3 }, "result");
  await assertRejects(() => validate(outputSchema, { total: "three" }, "neither"), InvalidInput);
});

Deno.test("task_status returns as soon as the task ends, however long the wait", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 3_600_000 }));
  const gate = new Gate();
  const surface = bench.exposeAll(gate.job);
  const { id: token } = await start(surface, "gated", {});
  await bench.work(gate.job);
  await bench.until(token, ({ progress }) => progress === 0.5);
  const waiting = call(surface, "task_status", { token, wait_seconds: 3_600 });
  gate.open();
  assertEquals(fieldsOf(await waiting), { token, status: "COMPLETED", result: { total: 1 } });
});

Deno.test("a client that cannot be asked receives the task's progress while task_status waits", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 20 }));
  const surface = bench.exposeAll(endless);
  const { id: token } = await start(surface, "endless", {});
  await bench.work(endless);
  await bench.until(token, ({ progress }) => progress === 0.5);
  const received: TaskInfo[] = [];
  await call(surface, "task_status", { token }, { onChange: (task) => void received.push(task) });
  assertEquals([received[0]?.status, received[0]?.progress], ["RUNNING", 0.5]);
});

Deno.test("a registration can have its own answerWithin", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 3_600_000 }));
  const surface = bench.expose(endless, { answerWithin: 0 });
  const { status } = fieldsOf(await call(surface, "endless", {}));
  assertEquals(status, "PENDING");
});

Deno.test("where calls return handles at once, task_status still waits, as the handle says", async () => {
  const own = new AdaptiveExposureStrategy({ answerWithin: 7_000 });
  for (const [strategy, answerWithin, seconds] of [[undefined, 0, 25], [own, 0, 7], [own, 3_000, 3]] as const) {
    await using bench = new Bench(strategy ?? new AdaptiveExposureStrategy({ answerWithin }));
    const gate = new Gate();
    const surface = merge([bench.expose(gate.job, { answerWithin })], bench.tasks);
    const { properties } = toolOf(surface, "task_status").inputSchema;
    assertStringIncludes(JSON.stringify(properties), `at most ${seconds}, which is the default`);
    if (answerWithin > 0) continue;
    const { token, status, next } = fieldsOf(await call(surface, "gated", {}));
    assertEquals(status, "PENDING");
    assertStringIncludes(String(next), `wait_seconds ${seconds};`);
    // It waits until a worker starts the task.
    const waiting = call(surface, "task_status", { token });
    await bench.work(gate.job);
    assertEquals(fieldsOf(await waiting).status, "RUNNING");
    gate.open();
  }
});

Deno.test("task_status goes on waiting while a task is handed from one worker to the next", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 60_000 }));
  const gate = new Gate();
  const surface = merge([bench.expose(gate.job, { answerWithin: 0 })], bench.tasks);
  const { token } = fieldsOf(await call(surface, "gated", {}));
  const read = () => call(surface, "task_status", { token });
  const begun = read();
  const first = createWorker(bench.backend, [gate.job]);
  assertEquals(fieldsOf(await begun).status, "RUNNING");

  const running = read();
  await bench.untilWatched(1);
  await first.close(0);
  assertEquals((await bench.tasks.get(String(token), ME)).status, "PENDING");
  const waiting = read();
  await bench.work(gate.job);
  await bench.until(String(token), ({ status, progress }) => status === "RUNNING" && progress === 0.5);
  gate.open();
  assertEquals([fieldsOf(await running).status, fieldsOf(await waiting).status], ["COMPLETED", "COMPLETED"]);
});

Deno.test("the tasks of a job with two names can be waited for as long as either name says, and by default as the shorter", async () => {
  for (const answers of [[20, 60_000], [60_000, 20]]) {
    await using bench = new Bench(new AdaptiveExposureStrategy());
    const gate = new Gate();
    const surfaces = answers.map((answerWithin, index) =>
      bench.expose(gate.job, { name: `gated_${index}`, answerWithin })
    );
    const surface = merge(surfaces, bench.tasks);
    const impatient = `gated_${answers.indexOf(20)}`;
    const { token } = fieldsOf(await call(surface, impatient, {}));
    // Without a worker nothing changes: only its own limit ends the call.
    const { status, next } = fieldsOf(await call(surface, "task_status", { token }));
    assertEquals(status, "PENDING");
    assertStringIncludes(String(next), "after a while");
    const waiting = call(surface, "task_status", { token, wait_seconds: 60 });
    await bench.work(gate.job);
    assertEquals(fieldsOf(await waiting).status, "RUNNING");
    const response = fieldsOf(await call(surface, "task_status", { token, wait_seconds: 0.02 }));
    assertStringIncludes(String(response.next), "after a while");
    const cut = call(surface, "task_status", { token, wait_seconds: 90 });
    gate.open();
    assertEquals(fieldsOf(await cut).status, "COMPLETED");
  }
});

Deno.test("task_status advises to wait as long as its caller has waited before", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 0 }));
  const surfaces = [["short", 0], ["long", 25_000]].map(([name, answerWithin]) =>
    bench.expose(endless, { name: String(name), answerWithin: Number(answerWithin) })
  );
  const surface = merge(surfaces, bench.tasks);
  const { token } = fieldsOf(await call(surface, "short", {}));
  const waiting = call(surface, "task_status", { token, wait_seconds: 7 });
  await bench.work(endless);
  assertStringIncludes(String(fieldsOf(await waiting).next), "wait_seconds 7");
});

Deno.test("a longer wait than allowed is cut, and the answer says so", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 20 }));
  const surface = bench.exposeAll(endless);
  const { id: token } = await start(surface, "endless", {});
  const { next } = fieldsOf(await call(surface, "task_status", { token, wait_seconds: 600 }));
  assertStringIncludes(String(next), "(wait_seconds is at most 0.02, not 600)");
});

Deno.test("a client that demands a task gets one at once, and can choose how long its result is kept", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ inlineWithin: 3_600_000 }));
  const surface = bench.exposeAll(endless);
  const { status, resultTtl } = await start(surface, "endless", {}, 5_000);
  assertEquals([status, resultTtl], ["PENDING", 5_000]);
});

Deno.test("a client that accepts tasks gets the result of a short job, and a task of a longer one", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ inlineWithin: 20 }));
  const patient = new AdaptiveExposureStrategy({ inlineWithin: 3_600_000 });
  const long = await callFor(bench.exposeAll(endless), "endless", {}, ACCEPTED);
  assertEquals(long.kind, "task");
  await using other = new Bench(patient);
  await other.work(report);
  const short = await callFor(other.exposeAll(report), "report", { user: "Ada" }, ACCEPTED);
  assertEquals(short.kind === "result" && short.result.structuredContent, { total: 3 });
});

Deno.test("a job that asks a person becomes a task at once if the client accepts tasks", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ inlineWithin: 3_600_000 }));
  const asking = defineJob({
    name: "asking",
    input: z.object({}),
    run: (_, { elicit }) => elicit({ message: "Go on?", schema: z.object({ yes: z.boolean() }) }),
  });
  await bench.work(asking);
  const answer = await callFor(bench.exposeAll(asking), "asking", {}, ACCEPTED);
  assertEquals(answer.kind === "task" && answer.task.status, "INPUT_REQUIRED");
});

Deno.test("a task that fails is an error result, also when its status is read", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(report);
  await bench.work(report);
  const { id: token } = await start(surface, "report", { user: "Ada", fail: "error" });
  const failed = await call(surface, "task_status", { token });
  assertEquals([failed.isError, fieldsOf(failed).error], [true, "no user Ada"]);
});

Deno.test("task_cancel cancels a task, and refuses if the registration does not allow it", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(endless);
  const { id: token } = await start(surface, "endless", {});
  assertEquals(fieldsOf(await call(surface, "task_cancel", { token })).status, "CANCELLED");
  const again = await call(surface, "task_cancel", { token });
  assertEquals([again.isError, fieldsOf(again).status], [true, "CANCELLED"]);
});

Deno.test("a call waits for its task although answerWithin is longer than a timer can be", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 2 ** 31 }));
  // A timer that is too long fires after 1 ms, so before this one.
  const brief = defineJob({ name: "brief", input: z.object({}), run: () => pause(20).then(() => "done") });
  const surface = bench.exposeAll(brief);
  await bench.work(brief);
  const { content } = await call(surface, "brief", {});
  assertEquals(content, [{ type: "text", text: "done" }]);
});

Deno.test("task_list lists the owner's tasks with their tokens, newest first", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(report, endless);
  const { id: first } = await start(surface, "report", { user: "Ada" });
  const { id: second } = await start(surface, "endless", {});
  assertEquals(fieldsOf(await call(surface, "task_list", {})).tasks, [
    { job: "endless", token: second, status: "PENDING" },
    { job: "report", token: first, status: "PENDING" },
  ]);
  assertEquals(fieldsOf(await call(surface, "task_list", {}, { owner: "stranger" })).tasks, []);
});

Deno.test("task_list names the next page, and the last one names none", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(report);
  const started: string[] = [];
  for (let index = 0; index < 101; index++) started.push((await start(surface, "report", { user: "Ada" })).id);
  const tokens: unknown[] = [];
  let cursors = 0;
  for (let cursor: unknown = undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = fieldsOf(await call(surface, "task_list", cursor === undefined ? {} : { cursor }));
    assert(Array.isArray(page.tasks));
    for (const { token } of page.tasks) tokens.push(token);
    cursor = page.next_cursor;
    if (cursor !== undefined) cursors++;
  }
  assertEquals([tokens, cursors], [started.reverse(), 1]);
});

Deno.test("task_list has room for a page of tasks that ask for much: what they ask in full is for task_status", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 0 }));
  const fields = Array.from({ length: 20 }, (_, index) => [`field_${index}`, z.string().describe("x".repeat(150))]);
  const curious = defineJob({
    name: "curious",
    input: z.object({}),
    parkAfter: 0, // Otherwise only four would ask at a time.
    run: (_, { elicit }) => elicit({ message: "Who?", schema: z.object(Object.fromEntries(fields)) }),
  });
  const surface = merge([bench.expose(curious, { answers: "model" })], bench.tasks);
  await bench.work(curious);
  const begun = await Promise.all(Array.from({ length: 100 }, () => start(surface, "curious", {})));
  await Promise.all(begun.map(({ id }) => bench.until(id, ({ status }) => status === "INPUT_REQUIRED")));
  const listed = await call(surface, "task_list", {});
  assert(fits(listed));
  const [task] = fieldsOf(listed).tasks as readonly Record<string, unknown>[];
  assertEquals(Object.keys(task ?? {}), ["job", "token", "status", "message"]);
  const read = fieldsOf(await call(surface, "task_status", { token: task?.token, wait_seconds: 0 }));
  assert(Array.isArray(read.questions));
});

Deno.test("the shared tools reject tokens of other owners, and of jobs that this server does not offer", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(endless);
  const { id: token } = await start(surface, "endless", {});
  const { id: foreign } = await start(bench.expose(report), "report", { user: "Ada" });
  const unknown = (id: string) =>
    `Cannot find task "${id}": the id is unknown. Check that you have copied all of it. Tasks are deleted some time after they end.`;
  const ofReport = (id: string) =>
    `Task "${id}" is a task of report. Use the tools of report for it; if there are none, this server does not offer report.`;
  const tries = [
    { token, owner: "stranger", text: unknown(token) },
    { token: foreign, owner: "stranger", text: unknown(foreign) },
    { token: foreign, owner: ME, text: ofReport(foreign) },
    { token: "nope", owner: ME, text: unknown("nope") },
  ];
  for (const { token, owner, text } of tries) {
    for (const name of ["task_status", "task_cancel"]) {
      const { isError, content } = await call(surface, name, { token }, { owner });
      assertEquals([isError, content], [true, [{ type: "text", text }]]);
      // Only a client whose principal is known may list tasks.
      const known = await call(surface, name, { token }, { owner, client: { ...PLAIN, known: true } });
      const more = text === unknown(token) ? " task_list lists your tasks." : "";
      assertEquals(known.content, [{ type: "text", text: `${text}${more}` }]);
    }
  }
  await assertRejects(
    () => call(surface, "task_status", { token, wait_seconds: "long" }),
    InvalidInput,
    "wait_seconds",
  );
});

Deno.test("cancelling a waiting call cancels its task", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(endless);
  await bench.work(endless);
  const id = await cancelAtHalf(surface);
  assertEquals((await bench.tasks.get(id, ME)).status, "CANCELLED");
});

Deno.test("invalid times are refused", () => {
  for (const answerWithin of [-1, 0.5, Number.NaN, "25"]) {
    const make = () => new AdaptiveExposureStrategy({ answerWithin } as { answerWithin: number });
    assertThrows(make, DefinitionError, "answerWithin");
  }
});

Deno.test("a plain call whose input the worker's schema refuses gets an error that its model can read", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(defineJob({ name: "total", input: z.object({}) }));
  await bench.work(defineJob({ name: "total", input: z.object({ year: z.number() }), run: () => 0 }));
  const { isError, content } = await call(surface, "total", {});
  assertEquals(isError, true);
  assertStringIncludes(JSON.stringify(content), "year");
});
