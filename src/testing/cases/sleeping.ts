/**
 * Cases: a task waits for a time, without a worker: while it sleeps, and between two attempts.
 *
 * @module
 */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert";
import { newTaskId } from "../../ids.ts";
import { openQuestions } from "../../task.ts";
import { AT_ONCE, type Cases, type Code, CONFIRM, NAP_MS, OWNER, YES } from "../stage.ts";

export const sleeping: Cases = {
  "a task that sleeps holds no worker, says until when, and continues when the time has come": async (stage) => {
    let runs = 0;
    const nap: Code = async (_, ctx) => {
      runs++;
      await ctx.sleep("nap", NAP_MS);
      return ctx.attempt;
    };
    await stage.work({ nap, quick: () => "done" }, AT_ONCE);
    const task = await stage.create({ job: "nap" });
    const parked = await stage.parked(task);
    strictEqual(parked.status, "PENDING");
    const dueAt = "dueAt" in parked ? parked.dueAt ?? 0 : 0;
    ok(dueAt >= task.createdAt + NAP_MS, `It is due ${dueAt - task.createdAt} ms after its creation.`);
    match(parked.message ?? "", /^Sleeping until \d{4}-/);
    await stage.finished(await stage.create({ job: "quick" }));
    const again = await stage.until(task, "running again", (now) => {
      return now.revision > parked.revision && now.status !== "PENDING";
    });
    ok(again.updatedAt >= dueAt, `It ran ${dueAt - again.updatedAt} ms too early.`);
    strictEqual(await stage.valueOf(task), 1);
    strictEqual(runs, 2);
  },

  "a short sleep, and one until a time that has passed, keep their worker": async (stage) => {
    let runs = 0;
    await stage.work({
      nap: async (_, ctx) => {
        runs++;
        await ctx.sleep("short", 20);
        await ctx.sleep("negative", -5_000);
        await ctx.until("past", new Date(0));
        await ctx.until("past, too", 1);
        return "awake";
      },
    });
    const task = await stage.create({ job: "nap" });
    strictEqual(await stage.valueOf(task), "awake");
    deepStrictEqual([runs, stage.events(task).filter((now) => "parked" in now)], [1, []]);
  },

  "a task that sleeps and asks continues at the end of the sleep with its question open": async (stage) => {
    await stage.work({
      both: ({ patience }, ctx) => {
        return Promise.race([
          ctx.elicit(CONFIRM),
          ctx.sleep("patience", Number(patience)).then(() => "nobody answered"),
        ]);
      },
    }, AT_ONCE);
    const task = await stage.create({ job: "both", input: { patience: NAP_MS } });
    const parked = await stage.parked(task);
    deepStrictEqual([parked.status, openQuestions(parked).length], ["INPUT_REQUIRED", 1]);
    const end = await stage.finished(task);
    deepStrictEqual([end.status, openQuestions(end)], ["COMPLETED", []]);
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: "nobody answered" });
    const other = await stage.create({ job: "both", input: { patience: 3_600_000 } });
    await stage.answer(await stage.parked(other), YES);
    deepStrictEqual(await stage.valueOf(other), YES);
  },

  "an answer that arrives while its task is being parked does not wait for the sleep beside the question": async (
    stage,
  ) => {
    await stage.work({
      both: (_, ctx) => {
        void ctx.log("info", "asks"); // It is stored before the task is parked, which gives the answer time.
        return Promise.race([ctx.elicit(CONFIRM), ctx.sleep("patience", 3_600_000).then(() => "nobody")]);
      },
    }, { parkAfter: 0, concurrency: 30 });
    const second = await stage.connect();
    const tasks = await Promise.all(Array.from({ length: 30 }, async () => {
      const task = await stage.create({ job: "both" });
      const asking = await stage.until(task, "asking", (now) => openQuestions(now).length > 0);
      await stage.answer(asking, YES, second);
      return task;
    }));
    for (const task of tasks) deepStrictEqual(await stage.valueOf(task), YES);
  },

  "a task whose answer has come goes on outside of steps, although its code sleeps beside the question": async (
    stage,
  ) => {
    await stage.work({
      impatient: async (_, ctx) => {
        const patience = ctx.sleep("patience", 3_600_000).then(() => "nobody answered");
        const answer = await Promise.race([ctx.elicit(CONFIRM), patience]);
        await stage.finished(await stage.create({ job: "quick" }));
        return answer;
      },
      quick: () => "done",
    }, { parkAfter: 0, concurrency: 2 });
    const task = await stage.create({ job: "impatient" });
    await stage.answer(await stage.parked(task), YES);
    deepStrictEqual(await stage.valueOf(task), YES);
  },

  "the pause before an attempt is at most the task's `maxDelay`": async (stage) => {
    await stage.work({
      flaky: (_, { attempt }) => {
        if (attempt < 3) throw new Error("not today");
        return attempt;
      },
    });
    const task = await stage.create({ job: "flaky", retry: { attempts: 3, delay: 600_000, maxDelay: 10 } });
    const end = await stage.finished(task);
    deepStrictEqual([end.status, end.attempt], ["COMPLETED", 3]);
  },

  "the pause before an attempt doubles with each failure, and at most half of it is left out": async (stage) => {
    const begun = new Map<string, number[]>();
    await stage.take("flaky", (claim) => {
      const { id, attempt } = claim.task;
      begun.set(id, [...begun.get(id) ?? [], claim.now()]);
      const failed = { kind: "error", message: "not today", retry: true } as const;
      return Promise.resolve(attempt < 4 ? failed : { kind: "value", value: "done" });
    });
    const waits = await stage.create({ job: "flaky", retry: { attempts: 4, delay: 60_000, maxDelay: 600_000 } });
    const retrying = await stage.until(waits, "RETRYING", ({ status }) => status === "RETRYING");
    const first = ("dueAt" in retrying ? retrying.dueAt ?? 0 : 0) - retrying.updatedAt;
    // `updatedAt` may be a little later than the moment from which the pause counts.
    ok(first >= 29_000 && first <= 60_000, `The first pause is ${first} ms, not 30,000 to 60,000.`);
    const task = await stage.create({ job: "flaky", retry: { attempts: 4, delay: 200, maxDelay: 60_000 } });
    strictEqual((await stage.finished(task)).status, "COMPLETED");
    const times = begun.get(task.id) ?? [];
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    // A slow machine makes pauses longer. Timers of some stores are a few ms early.
    const areLong = [100, 200, 400].every((least, index) => (pauses[index] ?? 0) >= least - 20);
    ok(areLong, `The pauses are ${pauses.join(", ")} ms, and not at least 100, 200 and 400.`);
  },

  "a task that sleeps can be cancelled": async (stage) => {
    await stage.work({ nap: (_, ctx) => ctx.sleep("nap", 3_600_000) });
    const task = await stage.create({ job: "nap" });
    await stage.parked(task);
    const end = await stage.backend.cancel(task.id, OWNER, 20_000);
    deepStrictEqual([end.status, "work" in end && end.work], ["CANCELLED", "stopped"]);
    deepStrictEqual(["dueAt" in end, "parked" in end], [false, false]);
  },

  "a task that a stopping worker parks while it sleeps continues on the next one": async (stage) => {
    const worker = await stage.work({ nap: (_, ctx) => ctx.sleep("nap", NAP_MS).then(() => ctx.attempt) });
    const task = await stage.create({ job: "nap" });
    await stage.running(task);
    await worker.close(0);
    strictEqual((await stage.parked(task)).status, "PENDING");
    await stage.work({ nap: (_, ctx) => ctx.sleep("nap", NAP_MS).then(() => ctx.attempt) });
    strictEqual(await stage.valueOf(task), 1);
  },

  "a task that has slept runs before tasks of its priority that never ran, and after more urgent ones": async (
    stage,
  ) => {
    const order: string[] = [];
    const code: Code = async ({ name, sleeps }, ctx) => {
      if (sleeps) await ctx.sleep("nap", NAP_MS);
      order.push(String(name));
    };
    const worker = await stage.work({ note: code }, AT_ONCE);
    const older = newTaskId();
    const task = await stage.create({ job: "note", input: { name: "slept", sleeps: true }, priority: 5 });
    await stage.parked(task);
    await worker.close(0);
    // Its id is older, and it was ready before.
    const late = await stage.create({ id: older, job: "note", input: { name: "late" }, priority: 5 });
    const urgent = await stage.create({ job: "note", input: { name: "urgent" }, priority: 1 });
    // Once this one runs, the sleep is over by the store's clock.
    await stage.work({ after: () => "done" });
    await stage.finished(await stage.create({ job: "after", delay: NAP_MS }));
    await stage.work({ note: code }, AT_ONCE);
    for (const one of [late, task, urgent]) await stage.finished(one);
    deepStrictEqual(order, ["urgent", "slept", "late"]);
  },
};
