import { z } from "zod";
import { assert, assertEquals, assertMatch, FakeTime } from "../../tools/std.ts";
import { createWorker, defineJob, type JobContext, JobsError, MemoryBackend } from "../../mod.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";
import { newTaskId } from "../../src/ids.ts";
import { retryPolicy } from "../../src/job.ts";
import { pause } from "../../src/waiting.ts";
import { pass } from "../support/time.ts";
import { runOnce } from "../support/attempts.ts";

const input = { type: "object" } as const;

Deno.test("an invalid output schema is a fault before the code runs", async () => {
  let runs = 0;
  const output = { type: "object", properties: { n: { type: "nonsense" } } };
  const job = defineJob({ name: "odd", input, output, run: () => runs++ });
  const { outcome, task } = await runOnce(job, { policy: { attempts: 3 } });
  assert(outcome.kind === "fault");
  assertMatch(outcome.message, /Cannot use the schema of the result of odd/);
  assertEquals([runs, task.attempt], [0, 1]);
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
