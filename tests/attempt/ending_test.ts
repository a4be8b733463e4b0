import { z } from "zod";
import { assert, assertEquals, assertMatch } from "../../tools/std.ts";
import { InvalidValue } from "../../backend.ts";
import { content, defineJob, type Job, JobFault, type Json, text, ToolError } from "../../mod.ts";
import { toJsonSchema, validate } from "../../src/schema/schema.ts";
import { claimOf, returning, runnerOf, runOnce } from "../support/attempts.ts";

const input = { type: "object" } as const;

function throwing(thrown: unknown): Job {
  return defineJob({
    name: "throwing",
    input,
    run: () => {
      throw thrown;
    },
  });
}

Deno.test("whatever a job throws becomes an understandable error", async () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const unreadable = {
    get message() {
      throw new Error("not readable");
    },
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cases: [unknown, string][] = [
    [new Error("no such user"), "no such user"],
    ["just a text", "just a text"],
    [new TypeError(""), "The job threw TypeError without a message."],
    ["", 'The job threw "" without a message.'],
    [null, "The job threw null without a message."],
    [undefined, "The job threw undefined without a message."],
    [42, "The job threw 42 without a message."],
    [{ code: 7 }, 'The job threw {"code":7} without a message.'],
    [{ code: 7, message: "from another library" }, "from another library"],
    [{ message: 7 }, 'The job threw {"message":7} without a message.'],
    [1n, "The job threw bigint without a message."],
    [cycle, "The job threw object without a message."],
    [unreadable, "The job threw a value that cannot be read."],
    [revoked.proxy, "The job threw a value that cannot be read."],
  ];
  for (const [thrown, message] of cases) {
    assertEquals((await runOnce(throwing(thrown))).outcome, { kind: "tool_error", message });
  }
});

Deno.test("an error text of any length ends its task, cut to what can be stored", async () => {
  const { outcome } = await runOnce(throwing(new Error("x".repeat(20_000_000))));
  assertEquals(outcome, { kind: "tool_error", message: "x".repeat(1_048_576) });
  const fault = await runOnce(throwing(new JobFault("x".repeat(20_000_000))));
  assertEquals("message" in fault.outcome && fault.outcome.message.length, 1_048_576);
});

Deno.test("a job that returns undefined completes with null", async () => {
  assertEquals((await runOnce(returning(undefined))).outcome, { kind: "value", value: null });
});

Deno.test("a result that is not JSON fails at once, and says what is wrong with it", async () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const cases: [unknown, RegExp][] = [
    [{ total: 10n }, /cannot be stored: its field "total" is a bigint/],
    [() => {}, /cannot be stored: it is a function/],
    [{ callback: () => {} }, /cannot be stored: its field "callback" is a function/],
    [cycle, /cannot be stored: .*circular/],
    [{ rate: NaN }, /cannot be stored: its field "rate" is NaN/],
  ];
  for (const [value, message] of cases) {
    const { outcome, task } = await runOnce(returning(value), { policy: { attempts: 3 } });
    assert(outcome.kind === "tool_error");
    assertMatch(outcome.message, message);
    assertEquals(task.attempt, 1);
  }
});

Deno.test("a result that does not fit the output schema fails at once, and names the field", async () => {
  const output = z.object({ total: z.number() });
  assertEquals((await runOnce(returning({ total: 1 }, output))).outcome, { kind: "value", value: { total: 1 } });
  const { outcome, task } = await runOnce(returning({ total: "much" }, output), { policy: { attempts: 3 } });
  assert(outcome.kind === "tool_error");
  assertMatch(outcome.message, /^Invalid result of returning: total/);
  assertEquals(task.attempt, 1);
});

Deno.test("a result whose output schema itself fails is tried again, as after any other error of the code", async () => {
  const output = z.object({ total: z.number() }).refine(() => {
    throw new TypeError("no rates today");
  });
  const { outcome, task } = await runOnce(returning({ total: 1 }, output), { policy: { attempts: 2 } });
  assertEquals([outcome, task.attempt], [{ kind: "tool_error", message: "no rates today" }, 2]);
});

Deno.test("content needs the data that the output schema of its job demands, and is kept with it", async () => {
  const output = z.object({ total: z.number() });
  const kept = await runOnce(
    returning(content([text("It is 1.")], { structuredContent: { total: 1, more: 2 } }), output),
  );
  assertEquals(kept.outcome, { kind: "value", value: { total: 1 }, content: [{ type: "text", text: "It is 1." }] });
  const { outcome, task } = await runOnce(returning(content([text("It is 1.")]), output), { policy: { attempts: 3 } });
  const message =
    "The result cannot be stored: its content(…) has no structuredContent, which the output schema demands.";
  assertEquals([outcome, task.attempt], [{ kind: "tool_error", message }, 1]);
});

Deno.test("a result is stored as its output schema returns it, because clients validate it with that schema", async () => {
  const total = z.object({ total: z.number() });
  const cases: [value: unknown, output: z.ZodType, kept: Json][] = [
    [{ total: 1, more: 2 }, total, { total: 1 }],
    [{}, z.object({ total: z.number().default(5) }), { total: 5 }],
    [{ total: "12" }, z.object({ total: z.string().transform(Number).pipe(z.number()) }), { total: 12 }],
    [{ total: 1, more: undefined }, z.looseObject({ total: z.number() }), { total: 1 }],
    [{ at: new Date(0) }, z.object({ at: z.iso.datetime() }), { at: "1970-01-01T00:00:00.000Z" }],
  ];
  for (const [value, output, kept] of cases) {
    assertEquals((await runOnce(returning(value, output))).outcome, { kind: "value", value: kept });
    const advertised = toJsonSchema(output, "output", "returning");
    assertEquals(await validate(advertised, kept, "result"), kept);
  }
});

Deno.test("the value that an output schema returns must also be JSON", async () => {
  const output = z.object({ total: z.string().transform(BigInt).pipe(z.any()) });
  const { outcome, task } = await runOnce(returning({ total: "12" }, output), { policy: { attempts: 3 } });
  assert(outcome.kind === "tool_error");
  assertMatch(outcome.message, /cannot be stored: its field "total" is a bigint/);
  assertEquals(task.attempt, 1);
});

Deno.test("a question that cannot be stored ends its task at once, and is not taken for its result", async () => {
  const asks = defineJob({ name: "asks", input, run: (_, { elicit }) => elicit({ message: "Which?", schema: input }) });
  const run = await runnerOf(asks);
  const attempt = await run({
    ...claimOf(asks),
    ask: () => Promise.reject(new InvalidValue("Cannot store the question: it is too large.")),
  });
  assertEquals(attempt, { kind: "error", message: "Cannot store the question: it is too large.", retry: false });
});

Deno.test("ToolError and JobFault end a task at once, and after an Error it is retried", async () => {
  const policy = { attempts: 2 };
  const fault = await runOnce(throwing(new JobFault("gone", -32001)), { policy });
  assertEquals(fault.outcome, { kind: "fault", message: "gone", code: -32001 });
  const attempts = [fault, await runOnce(throwing(new ToolError("no")), { policy })].map(({ task }) => task.attempt);
  assertEquals(attempts, [1, 1]);
  assertEquals((await runOnce(throwing(new Error("try again")), { policy })).task.attempt, 2);
});
