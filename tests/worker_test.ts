import { z } from "zod";
import { assert, assertEquals, assertMatch, assertThrows, FakeTime } from "../tools/std.ts";
import {
  type Answer,
  type Claim,
  InvalidValue,
  type Outcome,
  type RecordedStep,
  type WorkHandle,
  type WorkOptions,
} from "../backend.ts";
import {
  content,
  createWorker,
  defineJob,
  DefinitionError,
  type Job,
  type JobContext,
  JobFault,
  JobsError,
  type Json,
  MemoryBackend,
  TaskCancelled,
  type TaskInfo,
  TaskParked,
  text,
  ToolError,
} from "../mod.ts";
import type { OnError } from "../src/log/on_error.ts";
import type { JobPolicy } from "../strategy.ts";
import { TaskFeed } from "../src/tasks/feed.ts";
import { newTaskId } from "../src/ids.ts";
import { retryPolicy } from "../src/job.ts";
import { QuestionKeys } from "../src/questions/key.ts";
import { recordOf, Scope } from "../src/steps/recorded_steps.ts";
import { type Schema, toJsonSchema, validate } from "../src/schema/schema.ts";
import { pause } from "../src/waiting.ts";
import { gracesOf } from "./support/graces.ts";
import { pass } from "./support/time.ts";

const input = { type: "object" } as const;

interface Ended {
  readonly outcome: Outcome;
  readonly task: TaskInfo;
}

/** Runs one task of a job on a real worker until it ends. */
async function runOnce(job: Job, { value = {}, policy = { attempts: 1 } }: {
  readonly value?: Json;
  readonly policy?: JobPolicy;
} = {}): Promise<Ended> {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  await using worker = createWorker(backend, [job]);
  await worker.ready;
  const id = newTaskId();
  const { timeout } = policy;
  const retry = retryPolicy({ backoff: { delay: 1 }, ...policy });
  await backend.create({ id, job: job.name, owner: "me", input: value, resultTtl: 60_000, retry, timeout });
  const task = await feed.wait(id, "me", new AbortController().signal);
  return { task, outcome: await backend.outcome(id, "me") };
}

function throwing(thrown: unknown): Job {
  return defineJob({
    name: "throwing",
    input,
    run: () => {
      throw thrown;
    },
  });
}

function returning(value: unknown, output?: z.ZodType): Job {
  return defineJob({ name: "returning", input, output, run: () => value });
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

/** What a backend does to run a claim of a job. */
async function runnerOf(job: Job): Promise<WorkOptions["run"]> {
  const { promise, resolve } = Promise.withResolvers<WorkOptions["run"]>();
  class Caught extends MemoryBackend {
    override work({ run }: WorkOptions): WorkHandle {
      resolve(run);
      return { ready: Promise.resolve(), stop: () => Promise.resolve() };
    }
  }
  await using backend = new Caught();
  await using _worker = createWorker(backend, [job]);
  return await promise;
}

/** A claim of a job in a store that does all at once. */
function claimOf(job: Job): Claim {
  return {
    task: { id: newTaskId(), job: job.name, owner: "me", attempt: 1 },
    input: {},
    signal: new AbortController().signal,
    report: () => Promise.resolve(),
    log: () => Promise.resolve(),
    ask: () => new Promise(() => {}),
    stored: () => Promise.resolve(),
    now: () => 0,
    mayHaveSteps: false,
    steps: () => Promise.resolve([]),
    record: () => Promise.resolve(),
    forget: () => Promise.resolve(),
    park: () => Promise.resolve(),
  };
}

Deno.test("a question that cannot be stored ends its task at once, and is not taken for its result", async () => {
  const asks = defineJob({ name: "asks", input, run: (_, { elicit }) => elicit({ message: "Which?", schema: input }) });
  const run = await runnerOf(asks);
  const attempt = await run({
    ...claimOf(asks),
    ask: () => Promise.reject(new InvalidValue("Cannot store the question: it is too large.")),
  });
  assertEquals(attempt, { kind: "error", message: "Cannot store the question: it is too large.", retry: false });
});

for (const waitsFor of ["race", "all"] as const) {
  const title = waitsFor === "race"
    ? "a long sleep beside a question that an earlier run has asked does not park the task before its answer is there"
    : "a task whose question is answered is parked for the sleep that it still waits for";
  Deno.test(title, async () => {
    const patient = defineJob({
      name: "patient",
      input,
      parkAfter: 0,
      run: async (_, { elicit, sleep }) => {
        const waits = [
          elicit({ message: "Which?", schema: z.object({}) }).then(() => "answered"),
          sleep("patience", 3_600_000).then(() => "nobody answered"),
        ];
        return waitsFor === "race" ? await Promise.race(waits) : await Promise.all(waits);
      },
    });
    const run = await runnerOf(patient);
    const [parks, controller] = [[] as unknown[], new AbortController()];
    // The store tells late that there is an answer: by then the end of the sleep is recorded.
    const { promise: recorded, resolve } = Promise.withResolvers<void>();
    const answer = recorded.then(() => new Promise<void>((later) => setTimeout(later, 20))).then((): Answer => {
      return { action: "accept", content: {} };
    });
    const attempt = await run({
      ...claimOf(patient),
      signal: controller.signal,
      ask: () => answer,
      stored: async () => void await answer,
      record: () => Promise.resolve(resolve()),
      park: (until) => {
        parks.push(until);
        controller.abort(new TaskParked());
        return Promise.resolve();
      },
    });
    assertEquals(parks, waitsFor === "race" ? [] : [3_600_000]);
    if (waitsFor === "race") assertEquals(attempt, { kind: "value", value: "answered" });
  });
}

Deno.test("a question does not park a task whose sleep turns out to be over", async () => {
  const patient = defineJob({
    name: "patient",
    input,
    parkAfter: 0,
    run: async (_, { elicit, sleep }) => {
      return await Promise.race([
        elicit({ message: "Which?", schema: z.object({}) }),
        sleep("patience", 3_600_000).then(() => "nobody answered"),
      ]);
    },
  });
  const run = await runnerOf(patient);
  const recorded: RecordedStep[] = [];
  const parks: unknown[] = [];
  const attempt = async (now: number) => {
    const controller = new AbortController();
    return await run({
      ...claimOf(patient),
      signal: controller.signal,
      now: () => now,
      ask: () => new Promise(() => {}),
      stored: () => Promise.resolve(),
      mayHaveSteps: recorded.length > 0,
      // The store is slower than the wait of a question that is parked at once.
      steps: () => new Promise((resolve) => setTimeout(() => resolve([...recorded]), 20)),
      record: (step) => Promise.resolve(void recorded.push(step)),
      park: (until) => {
        parks.push(until);
        controller.abort(new TaskParked());
        return Promise.resolve();
      },
    });
  };
  await attempt(0);
  assertEquals(parks, [3_600_000]);
  assertEquals(await attempt(3_600_000), { kind: "value", value: "nobody answered" });
  assertEquals(parks, [3_600_000]);
});

for (const first of ["question", "sleep"]) {
  Deno.test(`an answer decides a race with a sleep that is over now, where the code calls the ${first} first`, async () => {
    // Loading the validator of this schema may take longer than all else.
    const question = { message: "Which?", schema: { type: "object", properties: {} } };
    const patient = defineJob({
      name: "patient",
      input,
      run: async (_, { elicit, sleep }) => {
        const asks = () => elicit(question).then(() => "answered");
        const sleeps = () => sleep("patience", 1_000).then(() => "nobody answered");
        const waits = (first === "question" ? [asks, sleeps] : [sleeps, asks]).map((wait) => wait());
        const winner = await Promise.race(waits);
        await Promise.all(waits);
        return winner;
      },
    });
    const run = await runnerOf(patient);
    const { scope, name, place } = { scope: new Scope(), name: "patience", place: 0 };
    const attempt = await run({
      ...claimOf(patient),
      now: () => 2_000,
      answers: { [new QuestionKeys().next(question)]: { action: "accept", content: {} } },
      mayHaveSteps: true,
      steps: () => Promise.resolve([recordOf({ scope, name, place, unordered: true }, "1000", 0, 0)]),
    });
    assertEquals(attempt, { kind: "value", value: "answered" });
  });
}

for (const several of [false, true]) {
  const name = several ? "an answer to several questions" : "an answer";
  Deno.test(`${name} that takes a while to validate decides a race with a sleep that is over now`, async () => {
    // As that of the first schema whose check loads a library.
    const schema = z.object({}).refine(() => new Promise((resolve) => setTimeout(resolve, 20, true)));
    const question = { message: "Which?", schema };
    const patient = defineJob({
      name: "patient",
      input: z.object({}),
      run: async (_, { elicit, progress, sleep }) => {
        const asks = (several ? elicit.all([question]) : elicit(question)).then(() => "answered");
        const sleeping = several ? sleep("patience", 1_000) : progress(0.5).then(() => sleep("patience", 1_000));
        const sleeps = sleeping.then(() => "nobody answered");
        const winner = await Promise.race([asks, sleeps]);
        await Promise.all([asks, sleeps]);
        return winner;
      },
    });
    const run = await runnerOf(patient);
    assertEquals(await run(afterSleep(patient, question)), { kind: "value", value: "answered" });
  });
}

Deno.test("a sleep that is over now ends with the task, even while an answer beside it is validated", async () => {
  const [begun, validated] = [Promise.withResolvers<void>(), Promise.withResolvers<boolean>()];
  const schema = z.object({}).refine(() => {
    begun.resolve();
    return validated.promise;
  });
  const question = { message: "Which?", schema };
  const patient = defineJob({
    name: "patient",
    input: z.object({}),
    run: async (_, { elicit, sleep }) => {
      void elicit(question);
      await sleep("patience", 1_000);
    },
  });
  const run = await runnerOf(patient);
  const controller = new AbortController();
  const running = run({ ...afterSleep(patient, question), signal: controller.signal });
  await begun.promise;
  controller.abort(new TaskCancelled());
  assertEquals((await running).kind, "error");
  validated.resolve(true);
});

/** The claim of a task that has slept, beside a question that was answered. */
function afterSleep(job: Job, { message, schema }: { message: string; schema: Schema }) {
  const key = new QuestionKeys().next({ message, schema: toJsonSchema(schema, "input", "a question") });
  const sleep = { scope: new Scope(), name: "patience", place: 0, unordered: true as const };
  return {
    ...claimOf(job),
    now: () => 2_000,
    answers: { [key]: { action: "accept", content: {} } as const },
    mayHaveSteps: true,
    steps: () => Promise.resolve([recordOf(sleep, "1000", 0, 0)]),
  };
}

for (const first of ["question", "step"]) {
  Deno.test(`a recorded step decides a race with an answer that is there, where the code calls the ${first} first`, async () => {
    const question = { message: "Which?", schema: { type: "object" } };
    const hasty = defineJob({
      name: "hasty",
      input,
      run: async (_, { elicit, step, sleep }) => {
        const order: string[] = [];
        const asks = () => elicit(question).then(() => order.push("answer"));
        const steps = async () => {
          for (const name of ["one", "two"]) order.push(await step(name, () => `${name} again`));
        };
        const calls = first === "question" ? [asks, steps] : [steps, asks];
        await Promise.all(calls.map((call) => call()));
        await sleep("none", 0);
        await Promise.all([elicit(question).then(() => order.push("answer")), steps()]);
        return order;
      },
    });
    const run = await runnerOf(hasty);
    const keys = new QuestionKeys();
    const answer: Answer = { action: "accept", content: {} };
    const recorded = ["one", "two", "none", "one#2", "two#2"].map((name, place) => {
      const call = { scope: new Scope(), name, place, unordered: true as const };
      return recordOf(call, name === "none" ? "0" : JSON.stringify(name), place, 0);
    });
    const attempt = await run({
      ...claimOf(hasty),
      answers: { [keys.next(question)]: answer, [keys.next(question)]: answer },
      mayHaveSteps: true,
      // The answers come with the claim, but the store has to be asked for the steps.
      steps: () => new Promise((resolve) => setTimeout(() => resolve(recorded), 20)),
    });
    assertEquals(attempt, { kind: "value", value: ["one", "two", "answer", "one#2", "two#2", "answer"] });
  });
}

Deno.test("an invalid output schema is a fault before the code runs", async () => {
  let runs = 0;
  const output = { type: "object", properties: { n: { type: "nonsense" } } };
  const job = defineJob({ name: "odd", input, output, run: () => runs++ });
  const { outcome, task } = await runOnce(job, { policy: { attempts: 3 } });
  assert(outcome.kind === "fault");
  assertMatch(outcome.message, /Cannot use the schema of the result of odd/);
  assertEquals([runs, task.attempt], [0, 1]);
});

Deno.test("a worker reports as it starts which of its jobs has a schema that cannot be used", async () => {
  const nonsense = () => ({ type: "object", properties: { n: { type: "nonsense" } } });
  const jobs = [
    defineJob({ name: "odd", input: nonsense(), run: () => {} }),
    defineJob({ name: "fine", input, output: input, run: () => ({}) }),
    defineJob({ name: "strange", input, output: nonsense(), run: () => ({}) }),
  ];
  const reports: string[] = [];
  const both = Promise.withResolvers<void>();
  await using backend = new MemoryBackend();
  const onError: OnError = (error, { where, job }) => {
    if (reports.push(`${where}: ${job}: ${error}`) === 2) both.resolve();
  };
  await using _worker = createWorker(backend, jobs, { onError });
  await both.promise;
  const [odd, strange] = reports.toSorted();
  assertMatch(odd ?? "", /^check the schemas of a job: odd: .*Cannot use the schema of the input for odd/);
  assertMatch(strange ?? "", /^check the schemas of a job: strange: .*Cannot use the schema of the result of strange/);
});

Deno.test("an input that does not fit the worker's schema is a fault, and the code does not run", async () => {
  let runs = 0;
  const job = defineJob({ name: "strict", input: z.object({ n: z.number() }), run: () => runs++ });
  const { outcome, task } = await runOnce(job, { value: { n: "one" }, policy: { attempts: 3 } });
  assert(outcome.kind === "fault");
  assertMatch(outcome.message, /input for strict: n/);
  assertEquals([runs, task.attempt], [0, 1]);
});

Deno.test("the code gets the input as the schema returns it, with defaults and transformations", async () => {
  const schema = z.object({ n: z.number().default(3), text: z.string().transform((text) => text.length) });
  const job = defineJob({ name: "shaped", input: schema, run: ({ n, text }) => [n, text] });
  assertEquals((await runOnce(job, { value: { text: "four" } })).outcome, { kind: "value", value: [3, 4] });
});

Deno.test("ToolError and JobFault end a task at once, and after an Error it is retried", async () => {
  const policy = { attempts: 2 };
  const fault = await runOnce(throwing(new JobFault("gone", -32001)), { policy });
  assertEquals(fault.outcome, { kind: "fault", message: "gone", code: -32001 });
  const attempts = [fault, await runOnce(throwing(new ToolError("no")), { policy })].map(({ task }) => task.attempt);
  assertEquals(attempts, [1, 1]);
  assertEquals((await runOnce(throwing(new Error("try again")), { policy })).task.attempt, 2);
});

Deno.test("an attempt that times out ends, even if the code ignores the signal", async () => {
  using time = new FakeTime();
  let reason: unknown;
  const policy = { attempts: 2, timeout: 20 };
  const careful = defineJob({
    name: "careful",
    input,
    run: (_, { signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          reason = signal.reason;
          reject(new Error("stopped"));
        })
      ),
  });
  const stubborn = defineJob({ name: "stubborn", input, run: () => new Promise(() => {}) });
  for (const job of [careful, stubborn]) {
    const { outcome, task } = await pass(time, runOnce(job, { policy }));
    assertEquals(outcome, { kind: "tool_error", message: "The attempt took longer than 20 ms." });
    assertEquals(task.attempt, 2);
  }
  assert(reason instanceof JobsError);
});

for (
  const [beside, wait] of [
    ["sleeps", ({ sleep }: JobContext) => sleep("a while", 60_000)],
    ["asks", ({ elicit }: JobContext) => elicit({ message: "Which?", schema: z.object({}) })],
  ] as const
) {
  Deno.test(`a step that outlasts the timeout fails its attempt, although the code ${beside} beside it`, async () => {
    using time = new FakeTime();
    let runs = 0;
    const slow = defineJob({
      name: "slow",
      input,
      parkAfter: 0,
      run: async (_, ctx) => {
        runs++;
        await Promise.allSettled([wait(ctx), ctx.step("slow", () => pause(200))]);
        await pause(200);
      },
    });
    const { outcome } = await pass(time, runOnce(slow, { policy: { attempts: 1, timeout: 20 } }));
    assertEquals(outcome, { kind: "tool_error", message: "The attempt took longer than 20 ms." });
    assertEquals(runs, 1); // It was not parked meanwhile.
  });
}

Deno.test("code that ignores its time-out may still run, so a cancelled task does not claim that its work has stopped", async () => {
  using time = new FakeTime();
  const works: unknown[] = [];
  for (const listens of [true, false]) {
    await using backend = new MemoryBackend();
    using feed = new TaskFeed(backend);
    const job = defineJob({
      name: "late",
      input,
      run: (_, { signal }) =>
        new Promise((_, reject) => listens && signal.addEventListener("abort", () => reject(signal.reason))),
    });
    await using worker = createWorker(backend, [job]);
    await worker.ready;
    const retry = { attempts: 2, delay: 600_000, maxDelay: 600_000 };
    const task = { id: newTaskId(), owner: "me" };
    const retrying = Promise.withResolvers<void>();
    feed.watch(task, ({ status }) => status === "RETRYING" && retrying.resolve());
    await backend.create({ ...task, job: "late", input: {}, resultTtl: 60_000, retry, timeout: 1 });
    await pass(time, retrying.promise);
    const end = await pass(time, backend.cancel(task.id, "me", 0));
    works.push("work" in end && end.work);
  }
  assertEquals(works, ["stopped", "stop_requested"]);
});

Deno.test("progress is clamped to 0 to 1, and a message is converted to text; onError receives the first wrong number", async () => {
  await using backend = new MemoryBackend();
  using feed = new TaskFeed(backend);
  const job = defineJob({
    name: "wild",
    input,
    run: async (_, ctx) => {
      await ctx.progress(1 + Number.EPSILON);
      for (const fraction of [-1, 7, NaN]) await ctx.progress(fraction);
      await ctx.progress(0.5, 42 as unknown as string);
      await ctx.log("last words");
    },
  });
  const told: unknown[] = [];
  await using worker = createWorker(backend, [job], { onError: (error, about) => told.push([String(error), about]) });
  await worker.ready;
  const id = newTaskId();
  const seen: [number | undefined, string | undefined][] = [];
  const wait = backend.create({ id, job: "wild", owner: "me", input: {}, resultTtl: 60_000, retry: retryPolicy({}) })
    .then(() => feed.wait(id, "me", new AbortController().signal));
  backend.watch((event) => {
    if (event.kind === "change" && event.task.status === "RUNNING") {
      seen.push([event.task.progress, event.task.message]);
    }
  });
  await wait;
  assertEquals(seen.slice(-5), [[0, undefined], [1, undefined], [0, undefined], [0.5, "42"], [0.5, "last words"]]);
  const text = "DefinitionError: ctx.progress(-1) is reported as 0: pass a number from 0 to 1, such as 0.5 for 50 %.";
  assertEquals(told, [[text, { where: "report the progress of a job", job: "wild", task: id }]]);
});

Deno.test("a line with an unknown level ends its task with a fault that names the levels", async () => {
  const job = defineJob({ name: "wild", input, run: (_, ctx) => void ctx.log("warn" as "warning", "page 3 is empty") });
  const { outcome } = await runOnce(job);
  assert(outcome.kind === "fault");
  assertMatch(outcome.message, /level "warn": use debug, info, notice, warning, error/);
});

Deno.test("the messages of a job are cut before they are stored", async () => {
  const said: (string | undefined)[] = [];
  await using backend = new MemoryBackend();
  const work = backend.work.bind(backend);
  backend.work = (options) =>
    work({
      ...options,
      run: (claim) => options.run({ ...claim, report: ({ message }) => Promise.resolve(void said.push(message)) }),
    });
  using feed = new TaskFeed(backend);
  const long = "👍".repeat(5_000);
  const job = defineJob({
    name: "chatty",
    input,
    run: async (_, ctx) => {
      await ctx.progress(0.5, long);
      await ctx.log(`a${long}`);
    },
  });
  await using worker = createWorker(backend, [job]);
  await worker.ready;
  const task = { id: newTaskId(), job: "chatty", owner: "me", input: {}, resultTtl: 60_000, retry: retryPolicy({}) };
  await backend.create(task);
  await feed.wait(task.id, "me", new AbortController().signal);
  assertEquals(said, [`${"👍".repeat(500)}…`, `a${"👍".repeat(499)}…`]);
});

Deno.test("a worker leaves contracts to others, also beside the same job with code, and refuses to start with only contracts", async () => {
  await using backend = new MemoryBackend();
  const contract = defineJob({ name: "elsewhere", input });
  assertThrows(() => createWorker(backend, [contract]), DefinitionError, "none of its jobs has a `run`");
  const returningContract = defineJob({ name: "returning", input });
  await using worker = createWorker(backend, [contract, returning(1), returningContract]);
  await worker.ready;
  assertEquals([await backend.hasWorker("elsewhere"), await backend.hasWorker("returning")], [false, true]);
});

Deno.test("a worker refuses two jobs with code of the same name, and an invalid concurrency or grace", async () => {
  await using backend = new MemoryBackend();
  assertThrows(() => createWorker(backend, [returning(1), returning(2)]), DefinitionError, "named returning");
  for (const concurrency of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => createWorker(backend, [returning(1)], { concurrency }), DefinitionError, `${concurrency}`);
  }
  for (const grace of [-1, NaN]) {
    assertThrows(() => createWorker(backend, [returning(1)], { grace }), DefinitionError, `${grace}`);
  }
});

Deno.test("a worker with infinite grace waits as long as a timer can, since a timer of Infinity fires at once", async () => {
  await using backend = new MemoryBackend();
  const graces = gracesOf(backend);
  await createWorker(backend, [returning(1)], { grace: Infinity }).close();
  await createWorker(backend, [returning(1)]).close(Infinity);
  await createWorker(backend, [returning(1)]).close();
  assertEquals(graces, [2 ** 31 - 1, 2 ** 31 - 1, 30_000]);
});

const gate = () => Promise.withResolvers<void>();

/** Runs two parts of a job at the same time, in two attempts: their steps come in another order in the second. */
async function inParts(around: (name: string, ctx: JobContext, part: () => Promise<unknown>) => Promise<unknown>) {
  const ran: string[] = [];
  const { outcome } = await runOnce(
    defineJob({
      name: "parts",
      input,
      run: async (_, ctx) => {
        const [first, second, all] = [gate(), gate(), gate()];
        const end = async () => {
          if (ctx.attempt > 1) return;
          await all.promise; // All is recorded by then but what is around it.
          throw new Error("not today");
        };
        const step = (name: string) => ctx.step(name, () => void ran.push(name));
        const one = async () => {
          await step("one");
          first.resolve();
          if (ctx.attempt === 1) await second.promise;
          await step("one, too");
          if (ctx.attempt > 1) second.resolve();
          all.resolve();
          await end();
        };
        const other = async () => {
          await (ctx.attempt === 1 ? first : second).promise;
          await step("other");
          if (ctx.attempt === 1) second.resolve();
          await end();
        };
        await Promise.all([around("left", ctx, one), around("right", ctx, other)]);
        return "done";
      },
    }),
    { policy: { attempts: 2 } },
  );
  return { outcome, ran };
}

Deno.test("parallel parts of a job find their recorded steps if each part is a step of its own, whichever is faster later", async () => {
  const apart = await inParts((name, ctx, part) => ctx.step(name, async () => void await part()));
  assertEquals([apart.outcome, apart.ran], [{ kind: "value", value: "done" }, ["one", "other", "one, too"]]);
});

Deno.test("parts whose steps never overlap look like changed code, and the fault says what to do", async () => {
  const { outcome } = await inParts((_name, _ctx, part) => part());
  const message = outcome.kind === "fault" ? outcome.message : outcome.kind;
  assertMatch(message, /its step 2 was recorded as "other", and the code now calls "one, too" there\./);
  assertMatch(message, /If parts of it run at the same time, put each part into a step of its own\.$/);
});

Deno.test("code whose task is cancelled while its input is validated does not begin", async () => {
  const [validating, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let begun = false;
  const job = defineJob({
    name: "job",
    input: z.object({}).refine(async () => {
      validating.resolve();
      await go.promise;
      return true;
    }),
    run: () => void (begun = true),
  });
  await using backend = new MemoryBackend();
  await using _worker = createWorker(backend, [job]);
  const [id, retry] = [newTaskId(), retryPolicy({ attempts: 1 })];
  await backend.create({ id, job: "job", owner: "ann", input: {}, resultTtl: 60_000, retry });
  await validating.promise;
  const cancelling = backend.cancel(id, "ann", 60_000);
  const asked = Promise.withResolvers<void>();
  using _watch = { [Symbol.dispose]: backend.watch((event) => event.kind === "change" && asked.resolve()) };
  await asked.promise;
  go.resolve();
  assertEquals([(await cancelling).status, begun], ["CANCELLED", false]);
});
