import { createClient, createWorker, defineJob, type JobContext, MemoryBackend } from "../../mod.ts";
import { turn } from "../../src/waiting.ts";
import { assertEquals } from "../../tools/std.ts";

type Code = (ctx: JobContext) => Promise<unknown>;

/** Runs a job of up to three attempts to its end. Resolves with the status of its task. */
async function endOf(
  run: Code,
  onStepMismatch: "fail" | "rerun" = "fail",
): Promise<string> {
  await using backend = new MemoryBackend();
  const input = { type: "object" } as const;
  const job = defineJob({ name: "works", input, backoff: { delay: 1 }, onStepMismatch, run: (_, ctx) => run(ctx) });
  await using _worker = createWorker(backend, [job], { onError: () => {} });
  const client = createClient(backend, { owner: "me" });
  const { id } = await client.start(job, {});
  await client.wait(id).catch(() => {}); // It may fail.
  return (await backend.get(id, "me")).status;
}

Deno.test("parts that run at the same time go on with their steps, in whatever order these come in a later attempt", async () => {
  const ran: string[] = [];
  const status = await endOf(async ({ attempt, step }) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const note = (name: string, act?: () => unknown) => async () => {
      ran.push(name);
      await act?.();
    };
    const slow = async () => {
      await step("slow 1", note("slow 1", () => promise));
      await step("slow 2", note("slow 2"));
    };
    const quick = async () => {
      await step("quick 1", note("quick 1"));
      await step("quick 2", note("quick 2", resolve));
    };
    await Promise.all([slow(), quick()]);
    if (attempt === 1) throw new Error("not today");
  });
  assertEquals([status, ran], ["COMPLETED", ["slow 1", "quick 1", "quick 2", "slow 2"]]);
});

Deno.test("steps that ran beside another one may come in another order later, when that one is recorded", async () => {
  const ran: string[] = [];
  const status = await endOf(async ({ attempt, step }) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const beside = step("beside", () => promise);
    await turn();
    for (const name of attempt === 1 ? ["one", "two"] : ["two", "one"]) await step(name, () => ran.push(name));
    resolve();
    await beside;
    if (attempt === 1) throw new Error("not today");
  });
  assertEquals([status, ran], ["COMPLETED", ["one", "two"]]);
});

Deno.test("after a mismatch, later steps with a recorded name run again, too", async () => {
  const ran: string[] = [];
  const status = await endOf(async ({ attempt, step }) => {
    for (const name of attempt === 1 ? ["a", "b", "c"] : ["a", "x", "c"]) await step(name, () => ran.push(name));
    if (attempt === 1) throw new Error("not today");
  }, "rerun");
  assertEquals([status, ran], ["COMPLETED", ["a", "b", "c", "x", "c"]]);
});

Deno.test("a step that fails is none of the 200 that a task may have", async () => {
  const status = await endOf(async ({ step }) => {
    const fail = () => {
      throw new Error("not now");
    };
    for (let count = 0; count < 200; count++) await step(`try ${count}`, fail).catch(() => {});
    await step("works", () => {});
  });
  assertEquals(status, "COMPLETED");
});

Deno.test("code that catches a mismatch runs no further step", async () => {
  const ran: string[] = [];
  const status = await endOf(async ({ attempt, step }) => {
    if (attempt === 1) {
      await step("a", () => ran.push("a"));
      throw new Error("not today");
    }
    await step("x", () => ran.push("x")).catch(() => {});
    await step("y", () => ran.push("y")).catch(() => {});
  });
  assertEquals([status, ran], ["FAILED", ["a"]]);
});

Deno.test("a step that the step of another task calls back belongs to its own task", async () => {
  await using backend = new MemoryBackend();
  const input = { type: "object" } as const;
  const { promise: listening, resolve: listen } = Promise.withResolvers<() => Promise<unknown>>();
  const called = Promise.withResolvers<void>();
  const names = Promise.withResolvers<readonly string[]>();
  const listener = defineJob({
    name: "listener",
    input,
    run: async (_, { id, step }) => {
      listen(() => step("inner", () => {}));
      await called.promise;
      names.resolve((await backend.operator.steps(id)).map(({ name }) => name));
    },
  });
  const caller = defineJob({
    name: "caller",
    input,
    run: async (_, { step }) => {
      const callBack = await listening;
      await step("outer", async () => void await callBack());
      called.resolve();
    },
  });
  await using _worker = createWorker(backend, [listener, caller]);
  const client = createClient(backend, { owner: "me" });
  for (const job of [listener, caller]) await client.start(job, {});
  assertEquals(await names.promise, ["inner"]);
});
