import { z } from "zod";
import { createWorker, defineJob, type JobContext, type Json, MemoryBackend } from "../../mod.ts";
import { type Answer, type Elicit, ToolRegistry } from "../../strategy.ts";
import { MAX_ANSWER } from "../../src/questions/budget.ts";
import { openQuestions, type Question } from "../../src/task.ts";
import { Tasks } from "../../src/tasks/tasks.ts";
import { assertEquals, assertStringIncludes } from "../../tools/std.ts";

/** Whether two types are equal, and neither is `any`. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

function same<A, B>(_: Same<A, B>): void {}

/** Runs a job that asks. `answer` answers what is open each time; it returns the outcome and what was open at first. */
async function asking(
  run: (ctx: JobContext) => unknown,
  answer: (question: Question) => Answer,
  opened: (open: readonly Question[]) => void = () => {},
) {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const job = defineJob({ name: "asks", input: { type: "object" }, attempts: 1, run: (_, ctx) => run(ctx) });
  await using _worker = createWorker(backend, [job]);
  const { id } = await tasks.start(new ToolRegistry().register(job), {}, "me");
  let first: readonly Question[] = [];
  const ended = await tasks.wait(id, "me", new AbortController().signal, (task) => {
    const open = openQuestions(task);
    if (open.length === 0) return;
    opened(open);
    if (first.length === 0) first = open;
    tasks.answer(id, "me", () => Object.fromEntries(open.map((question) => [question.key, answer(question)])))
      .catch((error) => console.error(error));
  });
  return { outcome: await tasks.outcome(ended), first };
}

Deno.test("several questions are asked together, and each answer has the type of its question", async () => {
  // A page has no content: what a client adds to its answer is dropped.
  const contents: Record<string, Record<string, Json>> = {
    "Who?": { name: "Ada" },
    "How large?": { size: 7 },
    "Sign in.": { secret: 1 },
  };
  const { outcome, first } = await asking(async (ctx) => {
    const [name, size, page] = await ctx.elicit.all([
      { message: "Who?", schema: z.object({ name: z.string() }) },
      { message: "How large?", schema: z.object({ size: z.coerce.number() }) },
      { message: "Sign in.", url: "https://example.com/sign_in" },
    ]);
    same<typeof name, Answer<{ name: string }>>(true);
    same<typeof size, Answer<{ size: number }>>(true);
    same<typeof page, Answer<Record<string, never>>>(true);
    return [name, size, page];
  }, ({ message }) => ({ action: "accept", content: contents[message] ?? {} }));
  assertEquals(first.map(({ message }) => message), ["Who?", "How large?", "Sign in."]);
  const content: Json[] = [{ name: "Ada" }, { size: 7 }, {}];
  assertEquals(outcome, { kind: "value", value: content.map((content) => ({ action: "accept", content })) });
});

Deno.test("ten questions are open at once, and share the room for answers", async () => {
  const schema = { type: "object", properties: { note: { type: "string" } } };
  const questions = Array.from({ length: 10 }, (_, index) => ({ message: `Question ${index}?`, schema }));
  const yes = { action: "accept", content: { note: "x".repeat(600) } } as const;
  const { outcome, first } = await asking(({ elicit }) => elicit.all(questions), () => yes);
  assertEquals(first.length, 10);
  assertEquals(outcome, { kind: "value", value: Array(10).fill(yes) });
});

Deno.test("each of several questions may have an answer of 4,000 characters at most, however much room is left", async () => {
  const questions = [{ message: "Who?", schema: z.object({ name: z.string() }) }];
  const { first } = await asking(({ elicit }) => elicit.all(questions), () => ({ action: "decline" }));
  assertEquals(first.map(({ maxAnswer }) => maxAnswer), [MAX_ANSWER]);
});

Deno.test("questions that are asked after a long answer share the room that it has left", async () => {
  const schema = { type: "object", properties: { note: { type: "string" } } };
  const questions = Array.from({ length: 5 }, (_, index) => ({ message: `Question ${index}?`, schema }));
  const yes = { action: "accept", content: { note: "x".repeat(3_900) } } as const;
  let most = 0;
  await asking(
    async ({ elicit }) => {
      await elicit({ message: "Why?", schema });
      await elicit.all(questions);
    },
    ({ message }) => message === "Why?" ? yes : { action: "decline" },
    (open) => most = Math.max(most, open.length),
  );
  assertEquals(most, 5);
});

Deno.test("questions that would have less than 500 characters each are answered one after the other, each at length", async () => {
  const schema = { type: "object", properties: { note: { type: "string" } } };
  const questions = Array.from({ length: 20 }, (_, index) => ({ message: `Question ${index}?`, schema }));
  const yes = { action: "accept", content: { note: "x".repeat(3_000) } } as const;
  const no = { action: "decline" } as const;
  const answer = ({ message }: Question) => message === "Question 0?" ? yes : no;
  const { outcome } = await asking(({ elicit }) => elicit.all(questions), answer);
  assertEquals(outcome, { kind: "value", value: [yes, ...Array(19).fill(no)] });
});

Deno.test("if one of several questions cannot be asked, none is", async () => {
  const good = { message: "Who?", schema: z.object({ name: z.string() }) };
  const bad: [object, string][] = [
    [{ message: "Sign in.", url: "http://example.com/" }, "Use https:"],
    [{ message: "Sign in.", url: "https://example.com/", schema: good.schema }, "pass either `schema`"],
    [{ message: "Sign in." }, "pass either `schema`"],
    [{ ...good, expiresIn: 0 }, "expiresIn"],
    [{ ...good, expiresIn: Number.MAX_SAFE_INTEGER }, "expiresIn"],
    [{ ...good, expiresin: 5 }, "did you mean expiresIn?"],
    [{ message: "Where to?", schema: z.object({ place: z.object({}) }) }, "no form has such a field"],
  ];
  for (const [question, why] of bad) {
    const all = (elicit: Elicit) => elicit.all([good, question as typeof good]);
    const { outcome, first } = await asking(({ elicit }) => all(elicit), () => ({ action: "decline" }));
    assertEquals([outcome.kind, first], ["fault", []]);
    assertStringIncludes("message" in outcome ? outcome.message : "", why);
  }
});

Deno.test("a page of another address with the same message is the same question, so that a later attempt does not ask again", async () => {
  const keys: string[] = [];
  for (const state of ["one", "two"]) {
    const ask = ({ elicit }: JobContext) =>
      elicit({ message: "Sign in.", url: `https://example.com/sign_in?state=${state}` });
    const { first } = await asking(ask, () => ({ action: "decline" }));
    keys.push(...first.map(({ key }) => key));
  }
  assertEquals([keys.length, new Set(keys).size], [2, 1]);
});
