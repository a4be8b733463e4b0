import { z } from "zod";
import { assertEquals, assertStringIncludes } from "../tools/std.ts";
import {
  type Answer,
  createWorker,
  defineJob,
  type JobContext,
  type Json,
  MemoryBackend,
  type Schema,
  ToolRegistry,
} from "../mod.ts";
import { Tasks } from "../src/tasks.ts";

/** Runs a job that asks once, answers it past the server's own check, and returns how it ended. */
async function answered<S extends Schema>(schema: S, answer: Answer) {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const run = (_: unknown, ctx: JobContext) => ctx.elicit({ message: "Well?", schema });
  const job = defineJob({ name: "asks", input: { type: "object" }, attempts: 1, run });
  await using _worker = createWorker(backend, [job]);
  const { id } = await tasks.start(new ToolRegistry().register(job), {}, "me");
  await tasks.wait(id, "me", new AbortController().signal, (task) => {
    if (task.status === "INPUT_REQUIRED") backend.answer(id, "me", { "question-1": answer });
  });
  return await tasks.outcome(id, "me");
}

Deno.test("a job gets an accepted answer as its schema reads it", async () => {
  const schema = z.object({ count: z.coerce.number(), note: z.string().default("none") });
  assertEquals(await answered(schema, { action: "accept", content: { count: "7" } }), {
    kind: "value",
    value: { action: "accept", content: { count: 7, note: "none" } },
  });
});

Deno.test("a job gets an answer that declines as it is", async () => {
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
    assertStringIncludes("message" in outcome ? outcome.message : "", "Invalid answer to question-1: count: ");
  }
});

Deno.test("a question whose schema is itself wrong is a fault, and nobody is asked", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const schema = { type: "object", properties: { count: { type: "nonsense" } } };
  const run = (_: unknown, ctx: JobContext) => ctx.elicit({ message: "How many?", schema });
  const job = defineJob({ name: "asks", input: { type: "object" }, attempts: 1, run });
  await using _worker = createWorker(backend, [job]);
  const { id } = await tasks.start(new ToolRegistry().register(job), {}, "me");
  const asked = new AbortController();
  await tasks.wait(id, "me", asked.signal, ({ status }) => status === "INPUT_REQUIRED" && asked.abort());
  const outcome = await tasks.outcome(id, "me");
  assertEquals(outcome.kind, "fault");
  assertStringIncludes(
    "message" in outcome ? outcome.message : "",
    "Cannot use the schema of the answer to question-1",
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
  await tasks.wait(id, "me", new AbortController().signal, (task) => {
    if (task.status !== "INPUT_REQUIRED") return;
    tasks.answer(id, "me", { "question-1": { action: "accept", content: { name: 7 } } })
      .catch((error) => refused.push(error.message))
      .then(() => tasks.answer(id, "me", { "question-1": { action: "accept", content: { name: "Ada" } } }));
  });
  assertEquals(refused, ["Invalid answer to question-1: name: must be string"]);
  assertEquals(await tasks.outcome(id, "me"), { kind: "value", value: { action: "accept", content: { name: "Ada" } } });
});
