import type { Claim } from "../../src/backend.ts";
import { Runner, type RunnerStore } from "../../src/backends/runner.ts";
import type { LiveTask } from "../../src/task.ts";
import { assertEquals } from "../../tools/std.ts";

const claimed: LiveTask = {
  id: "01a20500-0000-7000-8000-000000000000",
  job: "wait",
  owner: "ann",
  status: "RUNNING",
  revision: 2,
  attempt: 1,
  createdAt: 1,
  updatedAt: 2,
  resultTtl: 60_000,
};

Deno.test("what is told late of a task before it was claimed takes it from nobody; what is told since does", async () => {
  let left = 1;
  const store: RunnerStore = {
    claim: () => Promise.resolve({ claims: left-- > 0 ? [{ task: claimed, input: {} }] : [], more: false }),
    report: () => Promise.resolve(),
    ask: () => Promise.resolve(undefined),
    answer: () => Promise.resolve(undefined),
    settle: () => Promise.resolve(),
    handBack: () => Promise.resolve(),
  };
  const { promise: running, resolve } = Promise.withResolvers<Claim>();
  const runner = new Runner(store, {
    jobs: ["wait"],
    concurrency: 1,
    run: async (claim) => {
      resolve(claim);
      await new Promise<void>((done) => claim.signal.addEventListener("abort", () => done()));
      return { kind: "error", message: "stopped", retry: false };
    },
  }, Promise.resolve());
  const { signal } = await running;
  runner.receive({ ...claimed, status: "PENDING", revision: 1, attempt: 0 });
  assertEquals(signal.aborted, false);
  runner.receive({ ...claimed, status: "PENDING", revision: 3 });
  assertEquals(signal.aborted, true);
  await runner.stop(0);
});
