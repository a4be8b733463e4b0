import type { Attempt, Claim } from "../../../../src/backend.ts";
import { Runner } from "../../../../src/backends/shared/running/runner.ts";
import type { RunnerStore } from "../../../../src/backends/shared/running/runner_store.ts";
import { BackendError } from "../../../../src/errors.ts";
import type { LiveTask } from "../../../../src/task.ts";
import { assertEquals, FakeTime } from "../../../../tools/std.ts";
import { pass } from "../../../support/time.ts";

const claimed: LiveTask = {
  id: "01a20500-0000-7000-8000-000000000000",
  job: "tell",
  owner: "ann",
  status: "RUNNING",
  revision: 2,
  attempt: 1,
  createdAt: 1,
  updatedAt: 2,
  resultTtl: 60_000,
};

/** How the run of a task ends that has just logged its last line. */
const ENDS: { readonly [end: string]: (claim: Claim) => Promise<Attempt> } = {
  settle: () => Promise.resolve({ kind: "value", value: null }),
  park: async ({ park }) => {
    await park();
    return { kind: "value", value: null };
  },
  handBack: () => new Promise<never>(() => {}),
};

for (const [end, act] of Object.entries(ENDS)) {
  Deno.test(`the last lines of a run are stored before its end, though the store is slow and fails: ${end}`, async () => {
    using time = new FakeTime();
    const writes: string[] = [];
    const [storing, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let [left, fails] = [1, 2];
    const over = (what: string) => () => {
      writes.push(what);
      ended.resolve();
      return Promise.resolve();
    };
    const store: RunnerStore = {
      now: () => 0,
      claim: () =>
        Promise.resolve({ claims: left-- > 0 ? [{ task: claimed, input: {}, mayHaveSteps: false }] : [], more: false }),
      report: async (_, __, { lines }) => {
        storing.resolve();
        await new Promise((done) => setTimeout(done, 100));
        if (fails-- > 0) throw new BackendError("The store is away.");
        writes.push(...lines.map(({ text }) => text));
      },
      ask: () => Promise.resolve([]),
      answer: () => Promise.resolve(undefined),
      steps: () => Promise.resolve([]),
      record: () => Promise.resolve(),
      forget: () => Promise.resolve(),
      settle: over("settle"),
      park: over("park"),
      handBack: over("handBack"),
    };
    const runner = new Runner(store, {
      jobs: ["tell"],
      concurrency: 1,
      onError: () => {},
      run: async (claim) => {
        void claim.log({ at: 1, level: "info", text: "first" });
        await storing.promise;
        void claim.log({ at: 2, level: "info", text: "last" });
        return await act(claim);
      },
    }, Promise.resolve());
    await pass(time, storing.promise);
    const stopped = end === "handBack" ? runner.stop(0) : undefined;
    await pass(time, ended.promise);
    assertEquals(writes, ["first", "last", end]);
    await pass(time, stopped ?? runner.stop(0));
  });
}
