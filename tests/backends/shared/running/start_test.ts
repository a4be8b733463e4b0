/**
 * New tasks that a worker begins with their creation.
 *
 * @module
 */
import type { Attempt, Claim } from "../../../../src/backend.ts";
import { BackendError, TaskCancelled } from "../../../../src/errors.ts";
import { Runner } from "../../../../src/backends/shared/running/runner.ts";
import type { ClaimedTask, ClaimResult, RunnerStore } from "../../../../src/backends/shared/running/runner_store.ts";
import { turn } from "../../../../src/waiting.ts";
import { assertEquals, assertRejects } from "../../../../tools/std.ts";
import { claimed, withOneTask } from "./one_task.ts";

const NOTHING: ClaimResult = { claims: [], more: false };

const task: ClaimedTask = { task: claimed, input: {}, mayHaveSteps: false };

/** A runner that knows of no task, and what became of those that were started. */
async function idleRunner(own: Partial<RunnerStore> = {}, concurrency = 1) {
  const ends: string[] = [];
  const store = withOneTask({
    claim: () => Promise.resolve(NOTHING),
    settle: (_, { kind }) => Promise.resolve(void ends.push(`settled: ${kind}`)),
    handBack: () => Promise.resolve(void ends.push("handed back")),
    ...own,
  });
  const started = Promise.withResolvers<Claim>();
  const run = async (claim: Claim): Promise<Attempt> => {
    started.resolve(claim);
    await new Promise<void>((resolve) => claim.signal.addEventListener("abort", () => resolve()));
    return { kind: "error", message: "stopped", retry: false };
  };
  const runner = new Runner(store, { jobs: ["wait"], concurrency, run }, Promise.resolve());
  await runner.ready;
  await turn(); // The first claim is over then.
  return { runner, ends, started: started.promise };
}

Deno.test("a new task that was stored and claimed runs in the free slot, and the next one has to wait", async () => {
  const { runner, started } = await idleRunner();
  const first = runner.start(claimed.id, () => Promise.resolve(task));
  assertEquals(runner.start("another", () => Promise.resolve(task)), undefined);
  assertEquals(await first, true);
  assertEquals((await started).task, claimed);
  assertEquals(runner.start("another", () => Promise.resolve(task)), undefined);
  await runner.stop(0);
});

Deno.test("a worker that is not ready, because its lease is not stored yet, takes no new task", async () => {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const run = () => new Promise<never>(() => {});
  const store = withOneTask({ claim: () => Promise.resolve(NOTHING) });
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, ready);
  assertEquals(runner.start(claimed.id, () => Promise.resolve(task)), undefined);
  resolve();
  await runner.ready;
  await runner.stop(0);
});

Deno.test("a new task waits while others may wait for a slot", async () => {
  const found = Promise.withResolvers<ClaimResult>();
  let claims = 0;
  const { runner } = await idleRunner({ claim: () => claims++ === 0 ? Promise.resolve(NOTHING) : found.promise });
  runner.wake();
  assertEquals(runner.start(claimed.id, () => Promise.resolve(task)), undefined);
  found.resolve(NOTHING);
  await turn();
  assertEquals(await runner.start(claimed.id, () => Promise.resolve(false)), false);
  await runner.stop(0);
  assertEquals(runner.start(claimed.id, () => Promise.resolve(task)), undefined);
});

Deno.test("a new task that was not claimed, or could not be stored, frees its slot for one that waits", async () => {
  let claims = 0;
  const { runner, started } = await idleRunner({
    claim: () => Promise.resolve(claims++ === 1 ? { claims: [task], more: false } : NOTHING),
  });
  const away = () => Promise.reject(new BackendError("The store is away."));
  await assertRejects(async () => await runner.start(claimed.id, away), BackendError);
  assertEquals(
    await runner.start(claimed.id, async () => {
      await turn();
      runner.wake(); // The store says that the task is ready.
      return true;
    }),
    true,
  );
  assertEquals((await started).task, claimed);
  await runner.stop(0);
});

Deno.test("a new task that is asked to stop before its code runs is stopped at once", async () => {
  const { runner, started } = await idleRunner();
  const stored = Promise.withResolvers<ClaimedTask>();
  const start = runner.start(claimed.id, () => stored.promise);
  runner.receive({ ...claimed, revision: 3, stopRequested: true });
  stored.resolve(task);
  await start;
  assertEquals((await started).signal.reason instanceof TaskCancelled, true);
  await runner.stop(0);
});

Deno.test("a new task that is asked to stop is stopped even if a search for other tasks ends before it runs", async () => {
  const { runner, started } = await idleRunner({}, 2);
  const stored = Promise.withResolvers<ClaimedTask>();
  const start = runner.start(claimed.id, () => stored.promise);
  runner.receive({ ...claimed, revision: 3, stopRequested: true });
  runner.wake();
  await turn(); // The search is over then.
  stored.resolve(task);
  await start;
  assertEquals((await started).signal.aborted, true);
  await runner.stop(0);
});

Deno.test("a new task that is being claimed as its worker shuts down is handed back", async () => {
  const { runner, ends } = await idleRunner();
  const stored = Promise.withResolvers<ClaimedTask>();
  const start = runner.start(claimed.id, () => stored.promise);
  const stopped = runner.stop(0);
  await turn(); // Without anything to wait for, it would have stopped by now.
  stored.resolve(task);
  assertEquals(await start, true);
  await stopped;
  assertEquals(ends, ["handed back"]);
});
