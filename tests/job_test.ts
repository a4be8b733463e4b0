import { z } from "zod";
import { assert, assertEquals, assertThrows } from "../tools/std.ts";
import { createClient, createWorker, MemoryBackend } from "../mod.ts";
import { DefinitionError } from "../src/errors.ts";
import { defineJob, implement, type Job, type JobPolicy, retryPolicy } from "../src/job.ts";
import type { JobContext } from "../src/steps/context.ts";

const input = { type: "object" } as const;

Deno.test("a job has its schemas as JSON Schema, and its policy", () => {
  const job = defineJob({
    name: "report",
    title: "Report",
    description: "Makes a report",
    input: z.object({ user: z.string() }),
    output: z.object({ total: z.number() }),
    annotations: { readOnlyHint: true },
    attempts: 5,
    backoff: { delay: 10 },
    timeout: 1_000,
    run: ({ user }) => ({ total: user.length }),
  });
  assertEquals([job.name, job.title, job.description], ["report", "Report", "Makes a report"]);
  assertEquals([job.inputSchema.required, job.outputSchema?.required], [["user"], ["total"]]);
  assertEquals(job.annotations, { readOnlyHint: true });
  assertEquals(job.policy, { attempts: 5, backoff: { delay: 10 }, timeout: 1_000 });
  assert(job.run);
});

Deno.test("a job without code is a contract, with a generated description", () => {
  const job = defineJob({ name: "elsewhere", input });
  assertEquals("run" in job, false);
  assertEquals(job.description, "Run the background job elsewhere.");
});

Deno.test("a name that cannot name a tool is refused", () => {
  for (const name of ["", "a b", "ä", "a/b", "a\n", "x".repeat(101)]) {
    assertThrows(() => defineJob({ name, input }), DefinitionError, JSON.stringify(name));
  }
  const untyped = {} as { name: string };
  assertThrows(() => defineJob({ ...untyped, input }), DefinitionError, "Cannot use undefined as a name");
  for (const name of ["a", "A.b-c_9", "__proto__", "x".repeat(100)]) {
    assertEquals(defineJob({ name, input }).name, name);
  }
});

Deno.test("an option with an impossible value is refused, and the error names it", () => {
  const bad: [JobPolicy, string][] = [
    [{ attempts: 0 }, "0 as attempts of"],
    [{ attempts: 1.5 }, "1.5 as attempts of"],
    [{ backoff: { delay: -1 } }, "-1 as backoff.delay of"],
    [{ backoff: { maxDelay: NaN } }, "NaN as backoff.maxDelay of"],
    [{ timeout: 0 }, "0 as timeout of"],
    [{ timeout: 2 ** 31 }, '2147483648 as timeout of defineJob("odd"): it must be a whole number from 1 to 2147483647'],
    [{ delay: Infinity }, "Infinity as delay of"],
    [{ delay: 8.64e15 }, "8640000000000000 as delay of"], // No Date could say when it is due.
    [{ backoff: { maxDelay: 8.64e15 } }, "8640000000000000 as backoff.maxDelay of"],
    [{ priority: -1 }, "-1 as priority of"],
    [{ unique: { for: -1 } }, "-1 as unique.for of"],
    [{ unique: { for: 31 * 86_400_000 } }, 'of defineJob("odd"): it must be a whole number from 0 to 2592000000'],
    [{ unique: { key: "id" as never } }, '"id" as unique.key of defineJob("odd"): it must be a function'],
    [{ unique: 5 as never }, '5 as unique of defineJob("odd"): it must be true or false or an object'],
  ];
  for (const [policy, message] of bad) {
    assertThrows(() => defineJob({ name: "odd", input, ...policy }), DefinitionError, message);
  }
});

Deno.test("the options of a policy have the documented defaults", () => {
  assertEquals(retryPolicy({}), { attempts: 3, delay: 1_000, maxDelay: 60_000 });
  assertEquals(retryPolicy({ attempts: 1, backoff: { maxDelay: 5 } }), { attempts: 1, delay: 1_000, maxDelay: 5 });
});

Deno.test("the code must return the type that the output schema accepts", () => {
  const common = { input: z.object({ text: z.string() }), output: z.object({ length: z.number().default(0) }) };
  const good = defineJob({ ...common, name: "good", run: ({ text }) => ({ length: text.length }) });
  const empty = defineJob({ ...common, name: "empty", run: () => ({}) });
  // @ts-expect-error A text is not a number.
  const bad = defineJob({ ...common, name: "bad", run: ({ text }) => ({ length: text }) });
  // @ts-expect-error A number is not an object.
  const worse = defineJob({ ...common, name: "worse", run: ({ text }) => text.length });
  assertEquals([good, empty, bad, worse].map(({ name }) => name), ["good", "empty", "bad", "worse"]);
});

/** Whether two types are equal, and neither is `any`. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

function same<A, B>(_: Same<A, B>): void {}

const contract = defineJob({
  name: "count",
  title: "Count",
  input: z.object({ text: z.string(), times: z.string().transform(Number) }),
  output: z.object({ length: z.number().default(0) }),
  attempts: 5,
});

Deno.test("implement adds the code to a contract, and changes nothing else", () => {
  const run = () => ({ length: 1 });
  const job = implement(contract, run);
  assertEquals(job, { ...contract, run });
  assertEquals("run" in contract, false);
});

Deno.test("the code of a contract has the types of its input and context, and must return what the output accepts", () => {
  const job = implement(contract, (input, ctx) => {
    same<typeof input, { text: string; times: number }>(true);
    same<typeof ctx, JobContext>(true);
    return { length: input.text.length * input.times };
  });
  same<typeof job, Job<{ text: string; times: number }, { length: number }, typeof contract.input>>(true);
  implement(contract, () => ({}));
  implement(contract, () => Promise.resolve({ length: 1 }));
  // @ts-expect-error A text is not a number.
  implement(contract, ({ text }) => ({ length: text }));
  // @ts-expect-error A number is not an object.
  implement(contract, ({ text }) => text.length);
  // @ts-expect-error The input has no such field.
  implement(contract, ({ txt }) => ({ length: txt }));
  const free = defineJob({ name: "free", input: z.object({ n: z.number() }) });
  const freed = implement(free, ({ n }) => n + 1);
  same<typeof freed, Job<{ n: number }, number, typeof free.input>>(true);
});

Deno.test("implement refuses a job that has code, and a definition", () => {
  const run = () => ({ length: 1 });
  assertThrows(() => implement(implement(contract, run), run), DefinitionError, "Cannot implement count: it has code");
  const none = undefined as unknown as typeof run;
  assertThrows(() => implement(contract, none), DefinitionError, "Cannot implement count: pass its code");
  const definition = { name: "count", input: z.object({}) } as unknown as Job;
  assertThrows(() => implement(definition, run), DefinitionError, "it must be what defineJob has returned");
});

Deno.test("a job that was renamed also runs the tasks of its old name, as a copy with that name", async () => {
  await using backend = new MemoryBackend();
  using client = createClient(backend, { owner: "me" });
  const old = defineJob({ name: "load_csv", input: z.object({ path: z.string() }) });
  const waits = await client.start(old, { path: "a.csv" });
  const importCsv = defineJob({
    name: "import_csv",
    input: z.object({ path: z.string() }),
    run: ({ path }, ctx) => `${ctx.job}: ${path}`,
  });
  await using _worker = createWorker(backend, [importCsv, { ...importCsv, name: "load_csv" }]);
  assertEquals(await client.wait(waits), "load_csv: a.csv");
  assertEquals(await client.wait(await client.start(importCsv, { path: "b.csv" })), "import_csv: b.csv");
});
