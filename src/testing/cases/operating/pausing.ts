/**
 * Cases: an operator pauses a job, and ends the pause.
 *
 * @module
 */
import { deepStrictEqual, strictEqual } from "node:assert";
import type { Backend } from "../../../backend.ts";
import { isFinished, type TaskInfo } from "../../../task.ts";
import { type Cases, CONFIRM, eventually, NO, OWNER } from "../../stage.ts";
import { countsOf, endless } from "./operator.ts";

/** Waits until a connection knows whether a job is paused. Its workers know it then, too. */
async function untilPaused(backend: Backend, job: string, paused: boolean): Promise<void> {
  await eventually("the other connection knows whether it is paused", async () => {
    return ((await countsOf(backend, job))?.paused ?? false) === paused;
  });
}

export const pausing: Cases = {
  "no worker of any process begins a task of a paused job until the pause ends, and running ones go on": async (
    stage,
  ) => {
    const second = await stage.connect();
    const go = Promise.withResolvers<void>();
    let begun = 0;
    const jobs = {
      held: async () => {
        begun++;
        await go.promise;
      },
      free: () => 1,
    };
    for (const backend of [stage.backend, second]) await stage.work(jobs, { backend, concurrency: 4 });
    const runs = await stage.create({ job: "held" });
    await stage.running(runs);
    await stage.backend.operator.pause("held");
    await untilPaused(second, "held", true);
    const waiting: TaskInfo[] = [];
    for (const backend of [stage.backend, second]) waiting.push(await stage.create({ job: "held" }, backend));
    // Workers that are free take others meanwhile.
    for (let i = 0; i < 6; i++) await stage.finished(await stage.create({ job: "free" }, i % 2 ? second : undefined));
    go.resolve();
    strictEqual((await stage.finished(runs)).status, "COMPLETED");
    for (let i = 0; i < 2; i++) await stage.finished(await stage.create({ job: "free" }, i % 2 ? second : undefined));
    strictEqual(begun, 1);
    for (const task of waiting) deepStrictEqual(await stage.backend.get(task.id, OWNER), task);
    await second.operator.resume("held");
    for (const task of waiting) await stage.finished(task);
    strictEqual(begun, 3);
  },

  "once pause has resolved, no further task of the job begins": async (stage) => {
    const operator = stage.backend.operator;
    await stage.work({ held: endless, free: () => 1 }, { concurrency: 40 });
    for (let i = 0; i < 10; i++) {
      const creating = stage.create({ job: "held" });
      // The worker may be about to claim it.
      const [task] = await Promise.all([
        creating,
        i % 2 ? creating.then(() => operator.pause("held")) : operator.pause("held"),
      ]);
      const before = await operator.get(task.id);
      await stage.finished(await stage.create({ job: "free" }));
      deepStrictEqual(await operator.get(task.id), before);
      await operator.resume("held");
      await stage.running(task);
    }
  },

  "once pause has resolved, no worker of another process begins a further task": async (
    stage,
  ) => {
    const [operator, second] = [stage.backend.operator, await stage.connect()];
    await stage.work({ held: endless, free: () => 1 }, { backend: second, concurrency: 100 });
    for (let i = 0; i < 30; i++) {
      const creating = Array.from({ length: 2 }, () => stage.create({ job: "held" }));
      // The worker may be about to claim them.
      for (let turn = 0; turn < i % 10; turn++) await Promise.race([Promise.all(creating), operator.counts()]);
      await operator.pause("held");
      const tasks = await Promise.all(creating);
      const before = await Promise.all(tasks.map(({ id }) => operator.get(id)));
      await stage.finished(await stage.create({ job: "free" }));
      deepStrictEqual(await Promise.all(tasks.map(({ id }) => operator.get(id))), before);
      await operator.resume("held");
      for (const task of tasks) await stage.running(task);
    }
  },

  "once pause has resolved, a slot of another process that becomes free takes no further task": async (stage) => {
    const [operator, second] = [stage.backend.operator, await stage.connect()];
    let gate = Promise.withResolvers<void>();
    await stage.work({ held: () => gate.promise, free: () => 1 }, { backend: second, concurrency: 1 });
    for (let i = 0; i < 10; i++) {
      gate = Promise.withResolvers();
      const runs = await stage.create({ job: "held" });
      await stage.running(runs);
      const waits = await stage.create({ job: "held" });
      await operator.pause("held");
      gate.resolve();
      await stage.finished(runs);
      await stage.finished(await stage.create({ job: "free" }));
      deepStrictEqual(await operator.get(waits.id), waits);
      await operator.resume("held");
      await stage.finished(waits);
    }
  },

  "a parked task whose time is over waits for the end of the pause": async (stage) => {
    let [sleeps, asked] = [0, 0];
    await stage.work({
      sleeps: async ({ ms }, ctx) => {
        sleeps++;
        await ctx.sleep("a while", Number(ms));
      },
      asks: async (_, ctx) => {
        asked++;
        await ctx.elicit(CONFIRM);
      },
      free: () => 1,
    }, { parkAfter: 0 });
    const operator = stage.backend.operator;
    const sleep = (ms: number) => stage.create({ job: "sleeps", input: { ms } });
    const asking = await stage.create({ job: "asks" });
    const parked = await stage.parked(asking);
    await operator.pause("asks");
    // On a slow machine a short sleep may be over before the pause begins.
    let asleep: TaskInfo;
    for (let ms = 300;; ms *= 4) {
      sleeps = 0;
      const sleeping = await sleep(ms);
      await stage.until(sleeping, "parked, or finished", (now) => "parked" in now || isFinished(now));
      await operator.pause("sleeps");
      asleep = await stage.backend.get(sleeping.id, OWNER);
      if ("parked" in asleep) break;
      await operator.resume("sleeps");
      await stage.finished(sleeping);
    }
    const others = [await sleep(3_600_000), await stage.create({ job: "asks" })];
    await stage.answer(parked, NO);
    await eventually("its time is over", () => Date.now() > ("dueAt" in asleep && asleep.dueAt || 0) + 50);
    for (let i = 0; i < 3; i++) await stage.finished(await stage.create({ job: "free" }));
    deepStrictEqual([sleeps, asked], [1, 1]);
    for (const job of ["sleeps", "asks"]) await operator.resume(job);
    for (const task of [asleep, asking]) await stage.finished(task);
    // What was created meanwhile begins, too.
    for (const task of others) await stage.parked(task);
    deepStrictEqual([sleeps, asked], [3, 3]);
  },

  "a worker that starts while a job is paused begins none of its tasks": async (stage) => {
    await stage.backend.operator.pause("held");
    const second = await stage.connect();
    const task = await stage.create({ job: "held" });
    await stage.work({ held: () => 1, free: () => 1 }, { backend: second });
    for (let i = 0; i < 3; i++) await stage.finished(await stage.create({ job: "free" }));
    deepStrictEqual(await stage.backend.get(task.id, OWNER), task);
    await stage.backend.operator.resume("held");
    await stage.finished(task);
  },

  "a paused job is counted as paused, also without tasks, and a second pause or resume changes nothing": async (
    stage,
  ) => {
    const operator = stage.backend.operator;
    const second = await stage.connect();
    for (let i = 0; i < 2; i++) await operator.pause("no task");
    for (const backend of [stage.backend, second]) {
      await untilPaused(backend, "no task", true);
      const counted = await countsOf(backend, "no task");
      strictEqual(Object.values(counted?.counts ?? {}).reduce((sum, count) => sum + count, 0), 0);
    }
    for (let i = 0; i < 2; i++) await operator.resume("no task");
    await untilPaused(second, "no task", false);
    deepStrictEqual(await operator.counts(), []);
  },
};
