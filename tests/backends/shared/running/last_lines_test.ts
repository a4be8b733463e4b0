import type { Attempt, Claim } from "../../../../src/backend.ts";
import { Runner } from "../../../../src/backends/shared/running/runner.ts";
import { BackendError } from "../../../../src/errors.ts";
import { pause } from "../../../../src/waiting.ts";
import { assertEquals, FakeTime } from "../../../../tools/std.ts";
import { pass } from "../../../support/time.ts";
import { withOneTask } from "./one_task.ts";

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
    let fails = 2;
    const over = (what: string) => () => {
      writes.push(what);
      ended.resolve();
      return Promise.resolve();
    };
    const store = withOneTask({
      report: async (_, __, { lines }) => {
        storing.resolve();
        await pause(100);
        if (fails-- > 0) throw new BackendError("The store is away.");
        writes.push(...lines.map(({ text }) => text));
      },
      settle: over("settle"),
      park: over("park"),
      handBack: over("handBack"),
    });
    const runner = new Runner(store, {
      jobs: ["wait"],
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

/** How code goes on that its run does not wait for. */
const GOES_ON: { readonly [what: string]: (claim: Claim) => unknown } = {
  reports: (claim) => claim.report({ progress: Math.random() }),
  logs: (claim) => claim.log({ at: 1, level: "info", text: "more" }),
};

for (const [what, act] of Object.entries(GOES_ON)) {
  for (const end of ["settle", "handBack"] as const) {
    Deno.test(`the end of a run is stored though its code ${what} faster than that can be stored: ${end}`, async () => {
      using time = new FakeTime();
      const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const over = () => Promise.resolve(ended.resolve());
      const report = () => pause(50);
      const runner = new Runner(withOneTask({ report, settle: over, handBack: over }), {
        jobs: ["wait"],
        concurrency: 1,
        run: async (claim) => {
          setInterval(() => act(claim), 10);
          begun.resolve();
          await pause(20);
          void claim.log({ at: 1, level: "info", text: "last" });
          return end === "settle" ? { kind: "value", value: null } : await new Promise<never>(() => {});
        },
      }, Promise.resolve());
      await begun.promise;
      const stopped = end === "handBack" ? runner.stop(0) : ended.promise;
      await pass(time, Promise.all([ended.promise, stopped]));
      await pass(time, runner.stop(0));
    });
  }
}
