import { z } from "zod";
import { assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { createWorker, defineJob, type JobContext, type Json, MemoryBackend } from "../../mod.ts";
import { type Answer, type Schema, ToolRegistry } from "../../strategy.ts";
import type { JobPolicy } from "../../src/job.ts";
import { MAX_ANSWER } from "../../src/questions/budget.ts";
import { openQuestions } from "../../src/task.ts";
import { Tasks } from "../../src/tasks/tasks.ts";

/** Runs a job that asks once, answers without the server's validation, and returns the outcome. */
async function answered<S extends Schema>(schema: S, answer: Answer) {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const run = (_: unknown, ctx: JobContext) => ctx.elicit({ message: "Well?", schema });
  const job = defineJob({ name: "asks", input: { type: "object" }, attempts: 1, run });
  await using _worker = createWorker(backend, [job]);
  const { id } = await tasks.start(new ToolRegistry().register(job), {}, "me");
  const ended = await tasks.wait(id, "me", new AbortController().signal, (task) => {
    const [question] = openQuestions(task);
    if (question) backend.answer(id, "me", { [question.key]: answer });
  });
  return await tasks.outcome(ended);
}

Deno.test("a job gets an accepted answer as its schema returns it", async () => {
  const schema = z.object({ count: z.coerce.number(), note: z.string().default("none") });
  assertEquals(await answered(schema, { action: "accept", content: { count: "7" } }), {
    kind: "value",
    value: { action: "accept", content: { count: 7, note: "none" } },
  });
});

Deno.test("a job gets a declining answer unchanged", async () => {
  const schema = z.object({ count: z.number() });
  for (const action of ["decline", "cancel"] as const) {
    assertEquals(await answered(schema, { action }), { kind: "value", value: { action } });
  }
});

Deno.test("an accepted answer that does not fit ends the task with an error that names the field", async () => {
  const schemas: Schema[] = [
    z.object({ count: z.number() }),
    { type: "object", properties: { count: { type: "number" } }, required: ["count"] },
  ];
  for (const schema of schemas) {
    const outcome = await answered(schema, { action: "accept", content: { count: "many" } as Record<string, Json> });
    assertEquals(outcome.kind, "tool_error");
    assertStringIncludes("message" in outcome ? outcome.message : "", ": count: ");
  }
});

Deno.test("a question that code does not await, or asks after its attempt, does not end the process of its worker", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const { promise: begun, resolve: begin } = Promise.withResolvers<JobContext>();
  const question = { message: "Well?", schema: z.object({ count: z.number() }) };
  const run = (_: unknown, ctx: JobContext) => {
    void ctx.elicit(question);
    void ctx.elicit.all([question]);
    begin(ctx);
    return "done";
  };
  const job = defineJob({ name: "asks", input: { type: "object" }, attempts: 1, run });
  await using _worker = createWorker(backend, [job]);
  const task = await tasks.start(new ToolRegistry().register(job), {}, "me");
  const ended = await tasks.wait(task.id, "me");
  assertEquals(await tasks.outcome(ended), { kind: "value", value: "done" });
  const { elicit } = await begun;
  void elicit(question);
  await assertRejects(() => elicit.all([question]), Error, "The attempt is over.");
});

Deno.test("a question with an invalid schema ends the task with a fault, and is not asked", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const schema = { type: "object", properties: { count: { type: "nonsense" } } };
  const run = (_: unknown, ctx: JobContext) => ctx.elicit({ message: "How many?", schema });
  const job = defineJob({ name: "asks", input: { type: "object" }, attempts: 1, run });
  await using _worker = createWorker(backend, [job]);
  const { id } = await tasks.start(new ToolRegistry().register(job), {}, "me");
  const asked = new AbortController();
  const ended = await tasks.wait(id, "me", asked.signal, ({ status }) => status === "INPUT_REQUIRED" && asked.abort());
  const outcome = await tasks.outcome(ended);
  assertEquals(outcome.kind, "fault");
  assertStringIncludes(
    "message" in outcome ? outcome.message : "",
    'Cannot use the schema of the answer to the question "How many?"',
  );
});

Deno.test("an answer that does not fit is refused before it is stored, and the question stays open", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const schema = z.object({ name: z.string() });
  const run = (_: unknown, ctx: JobContext) => ctx.elicit({ message: "Who?", schema });
  const job = defineJob({ name: "asks", input: { type: "object" }, run });
  await using _worker = createWorker(backend, [job]);
  const { id } = await tasks.start(new ToolRegistry().register(job), {}, "me");
  const refused: string[] = [];
  const ended = await tasks.wait(id, "me", new AbortController().signal, (task) => {
    const [question] = openQuestions(task);
    if (question === undefined) return;
    const answer = (content: { readonly name: Json }) =>
      tasks.answer(id, "me", () => ({ [question.key]: { action: "accept", content } }));
    answer({ name: 7 })
      .catch((error) => refused.push(error.message.replace(question.key, "it")))
      .then(() => answer({ name: "Ada" }));
  });
  assertEquals(refused, ["Invalid answer to it: name: must be string"]);
  assertEquals(await tasks.outcome(ended), { kind: "value", value: { action: "accept", content: { name: "Ada" } } });
});

/** Runs a job that asks, gives each question the next answer a moment later, and returns the outcome and what was asked. */
async function asking(
  run: (ctx: JobContext) => unknown,
  answers: Iterator<Answer>,
  policy: JobPolicy & { readonly parkAfter?: number } = {},
) {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const job = defineJob({ name: "asks", input: { type: "object" }, run: (_, ctx) => run(ctx), ...policy });
  await using _worker = createWorker(backend, [job]);
  const { id } = await tasks.start(new ToolRegistry().register(job), {}, "me");
  const errors: string[] = [];
  const given = new Set<string>();
  let most = 0;
  const give = (key: string, answer: Answer) => {
    tasks.answer(id, "me", () => ({ [key]: answer })).catch((error) => {
      errors.push(error.message.replace(key, "it"));
      return tasks.answer(id, "me", () => ({ [key]: { action: "decline" } }));
    });
  };
  const ended = await tasks.wait(id, "me", new AbortController().signal, (task) => {
    const open = openQuestions(task);
    most = Math.max(most, open.length);
    if (policy.parkAfter === 0 && !("parked" in task)) return; // The answer would keep it from being parked.
    for (const { key } of open) {
      const answer = given.has(key) ? undefined : answers.next().value;
      if (answer === undefined) continue;
      given.add(key);
      setTimeout(() => give(key, answer));
    }
  });
  return { outcome: await tasks.outcome(ended), attempt: ended.attempt, errors, asked: given.size, most };
}

const NOTE = { message: "Well?", schema: { type: "object", properties: { note: { type: "string" } } } };

function note(length: number): Answer {
  return { action: "accept", content: { note: "世".repeat(length) } };
}

Deno.test("an answer that is too long is refused before it is stored, and the question stays open", async () => {
  const { outcome, errors } = await asking((ctx) => ctx.elicit(NOTE), [note(MAX_ANSWER)].values());
  assertEquals(errors, ["Invalid answer to it: it has 4011 characters of JSON, and 4000 is the most"]);
  assertEquals(outcome, { kind: "value", value: { action: "decline" } });
  const longest = note(MAX_ANSWER - '{"note":""}'.length);
  const fits = await asking((ctx) => ctx.elicit(NOTE), [longest].values());
  assertEquals([fits.errors, fits.outcome], [[], { kind: "value", value: longest }]);
});

Deno.test("an answer is stored as JSON, so that no store meets other values", async () => {
  const schema = { type: "object", properties: { n: { type: "number" } } };
  const answers = [{ action: "accept", content: { n: -0 } } as const].values();
  const { outcome } = await asking(async (ctx) => {
    const answer = await ctx.elicit({ message: "Well?", schema });
    return answer.action === "accept" && Object.is(answer.content.n, 0);
  }, answers);
  assertEquals(outcome, { kind: "value", value: true });
});

Deno.test("a question that is too long ends the task at once, with an error that says how long it may be", async () => {
  const ask = (ctx: JobContext) => ctx.elicit({ ...NOTE, message: "Well?".repeat(2_000) });
  const { outcome, attempt, asked } = await asking(ask, [].values());
  assertEquals([outcome.kind, attempt, asked], ["tool_error", 1, 0]);
  assertStringIncludes(
    "message" in outcome ? outcome.message : "",
    ": it has 10111 characters of JSON, and 6000 are left.",
  );
});

Deno.test("any number of questions may be asked at once, and those without room wait until others are answered", async () => {
  const run = (ctx: JobContext) => Promise.all(Array.from({ length: 12 }, () => ctx.elicit(NOTE)));
  const { outcome, asked, errors, most } = await asking(run, Array(12).fill(note(1)).values());
  assertEquals([outcome, asked, errors, most], [{ kind: "value", value: Array(12).fill(note(1)) }, 12, [], 2]);
});

for (const parkAfter of [undefined, 0]) {
  const where = parkAfter === undefined ? "" : ", each in a run of its own,";
  Deno.test(`a task with too many answers${where} ends with an error that says so`, async () => {
    const run = async (ctx: JobContext) => {
      while (true) await ctx.elicit(NOTE);
    };
    const { outcome, attempt, asked } = await asking(run, Array(100).fill(note(1_000)).values(), { parkAfter });
    assertEquals([outcome.kind, attempt, asked], ["tool_error", 1, 6]);
    assertStringIncludes(
      "message" in outcome ? outcome.message : "",
      'Cannot ask "Well?": it has 118 characters of JSON, and 0 are left',
    );
  });
}

Deno.test("an attempt whose own schema fails to read an answer is tried again, and gets the answer then", async () => {
  const run = (ctx: JobContext) => {
    const schema = z.object({ note: z.string() }).refine(() => {
      if (ctx.attempt === 1) throw new Error("The database of customers is away.");
      return true;
    });
    return ctx.elicit({ message: "Well?", schema });
  };
  const { outcome, attempt, asked } = await asking(run, [note(1)].values(), { backoff: { delay: 0 }, attempts: 2 });
  assertEquals([outcome, attempt, asked], [{ kind: "value", value: note(1) }, 2, 1]);
});

Deno.test("a page that nobody has opened in time is answered with expired", async () => {
  const ask = (ctx: JobContext) => ctx.elicit({ message: "Pay.", url: "https://example.com/pay", expiresIn: 1 });
  const { outcome } = await asking(ask, [].values());
  assertEquals(outcome, { kind: "value", value: { action: "expired" } });
});

Deno.test("a question that no form can ask ends the task with a fault that names the field, and is not asked", async () => {
  const ask = (ctx: JobContext) => ctx.elicit({ message: "Who?", schema: z.object({ name: z.string().nullable() }) });
  const { outcome, attempt, asked } = await asking(ask, [].values());
  assertEquals([outcome.kind, attempt, asked], ["fault", 1, 0]);
  assertStringIncludes("message" in outcome ? outcome.message : "", 'Cannot ask for name in the question "Who?"');
});

Deno.test("what is no question is refused with an error that says what is missing, and is not tried again", async () => {
  const cases: [(ctx: JobContext) => Promise<unknown>, string][] = [
    [(ctx) => ctx.elicit(JSON.parse("null")), "Cannot use null as the options of a question: pass an object."],
    [(ctx) => ctx.elicit(JSON.parse("{}")), "Cannot use undefined as message of a question: it must be a text."],
    [(ctx) => ctx.elicit.all(JSON.parse("{}")), "Cannot ask several questions: pass a list of them."],
  ];
  for (const [ask, message] of cases) {
    await using backend = new MemoryBackend();
    using tasks = new Tasks(backend);
    const job = defineJob({ name: "asks", input: { type: "object" }, run: (_, ctx) => ask(ctx) });
    await using _worker = createWorker(backend, [job], { onError: () => {} });
    const { id } = await tasks.start(new ToolRegistry().register(job), {}, "me");
    const ended = await tasks.wait(id, "me", new AbortController().signal);
    assertEquals([ended.attempt, await tasks.outcome(ended)], [1, { kind: "fault", message }]);
  }
});

Deno.test("a schema of a library becomes JSON Schema once, however often questions with it are asked", async () => {
  const { "~standard": standard } = z.object({ note: z.string() });
  const { jsonSchema, ...rest } = standard;
  let made = 0;
  const input: typeof jsonSchema.input = (options) => {
    made++;
    return jsonSchema.input(options);
  };
  const question = { message: "Well?", schema: { "~standard": { ...rest, jsonSchema: { ...jsonSchema, input } } } };
  const answer = (note: string): Answer => ({ action: "accept", content: { note } });
  const run = async (ctx: JobContext) => [await ctx.elicit(question), await ctx.elicit(question)];
  const { outcome } = await asking(run, [answer("one"), answer("two")].values());
  assertEquals([made, outcome], [1, { kind: "value", value: [answer("one"), answer("two")] }]);
});
