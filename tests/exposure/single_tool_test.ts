import { defineJob, isFinished, SingleToolExposureStrategy } from "../../mod.ts";
import { InvalidInput } from "../../src/errors.ts";
import { newTaskId } from "../../src/ids.ts";
import { validate } from "../../src/schema/schema.ts";
import type { Surface, ToolResult } from "../../strategy.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { z } from "zod";
import { Bench, call, endless, report, toolOf } from "./support.ts";

/** Calls the tool, and checks that its answer fits its schema. */
async function act(surface: Surface, name: string, input: unknown): Promise<ToolResult> {
  const answer = await call(surface, name, input);
  const { outputSchema } = toolOf(surface, name);
  if (answer.structuredContent && outputSchema) await validate(outputSchema, answer.structuredContent, name);
  return answer;
}

Deno.test("a job has one tool, which starts, checks and cancels", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy());
  const surface = bench.exposeAll(report, endless);
  assertEquals(surface.tools.map(({ name, title, annotations }) => [name, title, annotations]), [
    ["report", "Report", { openWorldHint: false }],
    ["endless", undefined, {}],
  ]);
  assertEquals(surface.templates.filter(({ uriTemplate }) => uriTemplate.includes("/endless/")).length, 3);
  const { structuredContent: begun } = await act(surface, "report", { action: "start", input: { user: "Ada" } });
  const token = String(begun?.token);
  assertEquals(begun, { token, status: "PENDING" });
  await bench.work(report);
  await bench.until(token, isFinished);
  const done = await act(surface, "report", { action: "check", token });
  assertEquals(done.structuredContent, { token, status: "COMPLETED", result: { total: 3 } });

  const { structuredContent: other } = await act(surface, "endless", { action: "start" });
  const cancelled = await act(surface, "endless", { action: "cancel", token: other?.token });
  assertEquals(cancelled.structuredContent?.status, "CANCELLED");
});

Deno.test("its description and schema say how long a check may wait: as the registration says, or else 25 s", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy());
  const usual = JSON.stringify(toolOf(bench.expose(report), "report"));
  for (const text of ["wait_seconds 25 waits", "at most 25, default 0"]) assertStringIncludes(usual, text);
  const short = JSON.stringify(toolOf(bench.expose(endless, { answerWithin: 5_000 }), "endless"));
  for (const text of ["wait_seconds 5 waits", "at most 5, default 0"]) assertStringIncludes(short, text);
});

Deno.test("a check waits up to wait_seconds for a change", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy({ answerWithin: 3_600_000 }));
  const surface = bench.exposeAll(report);
  const { structuredContent } = await act(surface, "report", { action: "start", input: { user: "Ada" } });
  const waiting = act(surface, "report", { action: "check", token: structuredContent?.token, wait_seconds: 3_600 });
  await bench.work(report);
  assert((await waiting).structuredContent?.status !== "PENDING");
});

Deno.test("a check whose wait is cut says so", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy({ answerWithin: 20 }));
  const surface = bench.exposeAll(report);
  const { structuredContent } = await act(surface, "report", { action: "start", input: { user: "Ada" } });
  const token = structuredContent?.token;
  const cut = await act(surface, "report", { action: "check", token, wait_seconds: 600 });
  assertEquals(cut.structuredContent?.message, "wait_seconds is at most 0.02, not 600");
});

Deno.test("cancel is an action only if the registration allows it", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy());
  const surface = bench.expose(endless, { cancel: false });
  const { structuredContent } = await act(surface, "endless", { action: "start" });
  await assertRejects(
    () => act(surface, "endless", { action: "cancel", token: structuredContent?.token }),
    InvalidInput,
    "action",
  );
  assert(!JSON.stringify(toolOf(surface, "endless")).includes("cancel"));
});

Deno.test("the error names what an action lacks, and the job that a token belongs to", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy());
  const surface = bench.exposeAll(report, endless);
  await assertRejects(() => act(surface, "report", {}), InvalidInput, "action");
  await assertRejects(() => act(surface, "report", { action: "check" }), InvalidInput, "token: is missing");
  await assertRejects(
    () => act(surface, "report", { action: "start", input: { user: 7 } }),
    InvalidInput,
    "user",
  );
  const { structuredContent } = await act(surface, "report", { action: "start", input: { user: "Ada" } });
  for (
    const [token, why] of [
      [newTaskId(), "the id is unknown"],
      [structuredContent?.token, "is a task of report, not of endless"],
    ]
  ) {
    const { isError, content } = await act(surface, "endless", { action: "check", token });
    assertEquals(isError, true);
    assertStringIncludes(JSON.stringify(content), String(why));
  }
});

Deno.test("the error for a field of the job beside the action says that it belongs into input", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy());
  const surface = bench.expose(report);
  const error = await assertRejects(
    () => act(surface, "report", { action: "start", user: "Ada", users: 7 }),
    InvalidInput,
  );
  assertEquals(error.issues, [
    { path: "user", message: "is not allowed here: it belongs into input" },
    { path: "users", message: "is not allowed here, only action, input, token, wait_seconds, page" },
  ]);
  const paged = bench.expose(defineJob({ name: "paged", input: z.object({ page: z.string() }) }));
  await assertRejects(
    () => act(paged, "paged", { action: "check", token: "x", page: "2" }),
    InvalidInput,
    "page: must be",
  );
});

Deno.test("a mistake in the job's input is named where it stands in the call, whichever schema finds it", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy());
  const even = defineJob({
    name: "even",
    input: z.object({ count: z.number().refine((n) => n % 2 === 0, "must be even") }).refine(
      (o) => o.count < 9,
      "too many",
    ),
  });
  const surface = bench.expose(even, { perCall: ["startAt"] });
  const start = (more: object) => act(surface, "even", { action: "start", ...more });
  const mistakes: readonly [object, string][] = [
    [{}, "input.count: "],
    [{ input: { count: "7" } }, "input.count: "],
    [{ input: { count: 7 } }, "Invalid input for even: input.count: must be even"],
    [{ input: { count: 10 } }, "Invalid input for even: input: too many"],
    [{ input: { count: 8 }, startAt: "1999-13-01T00:00:00Z" }, "Invalid input for even: startAt: "],
    [{ input: { count: 8 }, startAt: "9999-01-01T00:00:00Z" }, "Invalid input for even: startAt: must be at most"],
  ];
  for (const [more, text] of mistakes) await assertRejects(() => start(more), InvalidInput, text);
  const keyed = (count: number) =>
    call(surface, "even", { action: "start", input: { count } }, { idempotencyKey: "one" });
  await keyed(8);
  await assertRejects(() => keyed(6), InvalidInput, "Invalid idempotency key: it was used before");
});

Deno.test("an error that names only some of many mistakes says so, whichever schema finds them", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy());
  const fields = Array.from({ length: 30 }, (_, index) => `f${index}`);
  const all = (value: unknown) => Object.fromEntries(fields.map((field) => [field, value]));
  const yes = z.string().refine((text) => text === "yes");
  const wide = defineJob({ name: "wide", input: z.object(Object.fromEntries(fields.map((field) => [field, yes]))) });
  const surface = bench.expose(wide);
  for (const more of [{ input: all(7) }, { input: all("no") }, all(7)]) {
    const { message } = await assertRejects(() => act(surface, "wide", { action: "start", ...more }), InvalidInput);
    assert(/; and \d+ more$/.test(message), message);
  }
});

Deno.test("a job's schema that refers to itself still works inside the tool's input", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy());
  const tree = {
    type: "object",
    properties: { name: { type: "string" }, child: { $ref: "#" } },
    required: ["name"],
  } as const;
  const surface = bench.exposeAll(defineJob({ name: "tree", input: tree, run: (input) => input }));
  const { inputSchema } = toolOf(surface, "tree");
  const input = { name: "a", child: { name: "b" } };
  await validate(inputSchema, { action: "start", input }, "tree");
  await assertRejects(
    () => validate(inputSchema, { action: "start", input: { name: "a", child: {} } }, "tree"),
    InvalidInput,
  );
});

Deno.test("the error for a field of the call within input says that it belongs beside it", async () => {
  await using bench = new Bench(new SingleToolExposureStrategy());
  const surface = bench.expose(report, { perCall: ["startAt", "priority"] });
  const startAt = new Date(Date.now() + 3_600_000).toISOString();
  const error = await assertRejects(
    () => act(surface, "report", { action: "start", input: { user: "Ada", startAt } }),
    InvalidInput,
  );
  assertEquals(error.issues, [{ path: "input.startAt", message: "is not allowed here: it belongs beside input" }]);
  const started = await act(surface, "report", { action: "start", input: { user: "Ada" }, startAt });
  assertEquals(started.structuredContent?.status, "PENDING");
  assertMatch(String(started.structuredContent?.message), /^It starts at \d{4}-.+Z\.$/);
});
