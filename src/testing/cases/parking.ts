/**
 * Cases: a task waits for an answer, without a worker.
 *
 * @module
 */
import { deepStrictEqual, rejects, strictEqual } from "node:assert";
import { TaskNotFound, TaskParked } from "../../errors.ts";
import { newTaskId } from "../../ids.ts";
import { openQuestions, type TaskInfo } from "../../task.ts";
import { ask, AT_ONCE, type Cases, type Code, CONFIRM, NO, OWNER, whereWorkersDie, YES } from "../stage.ts";

export const parking: Cases = {
  "a question that is not answered in time parks the task: its slot is free, and the answer makes it run again": async (
    stage,
  ) => {
    let runs = 0;
    const task = await stage.create({ job: "ask" });
    const next = await stage.create({ job: "quick" });
    await stage.work({ ask: (input, ctx) => (runs++, ask(input, ctx)), quick: () => "done" }, AT_ONCE);
    const parked = await stage.parked(task);
    deepStrictEqual([parked.status, parked.attempt, openQuestions(parked).length], ["INPUT_REQUIRED", 1, 1]);
    await stage.finished(next);
    for (let i = 0; i < 3; i++) await stage.finished(await stage.create({ job: "quick" }));
    deepStrictEqual(await stage.backend.get(task.id, OWNER), parked);
    const ready = await stage.answer(parked, YES); // It may run already.
    deepStrictEqual(["parked" in ready, openQuestions(ready)], [false, []]);
    const end = await stage.finished(task);
    deepStrictEqual([end.status, end.attempt, "parked" in end, runs], ["COMPLETED", 1, false, 2]);
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: YES });
  },

  "a parked task can be answered through another connection, and is emitted there": async (stage) => {
    const second = await stage.connect();
    await stage.work({ ask }, AT_ONCE);
    const task = await stage.create({ job: "ask" }, second);
    await stage.answer(await stage.parked(task, second), NO, second);
    deepStrictEqual(await stage.valueOf(task, second), NO);
  },

  "the code of a parked task gets TaskParked and can clean up, and nothing that it does afterwards is stored": async (
    stage,
  ) => {
    const over = Promise.withResolvers<unknown[]>();
    await stage.work({
      ask: async (_, ctx) => {
        const noted: unknown[] = [];
        try {
          return await ctx.elicit(CONFIRM);
        } catch (error) {
          noted.push(error instanceof TaskParked, error === ctx.signal.reason);
          await ctx.progress(0.9, "after that");
          for (const act of [() => ctx.elicit(CONFIRM), () => ctx.step("late", () => 1), () => ctx.sleep("late", 1)]) {
            noted.push(await act().catch((error) => error instanceof TaskParked));
          }
          over.resolve(noted);
          return "this value is dropped";
        }
      },
      quick: () => "done",
    }, AT_ONCE);
    const task = await stage.create({ job: "ask" });
    const parked = await stage.parked(task);
    deepStrictEqual(await over.promise, [true, true, true, true, true]);
    await stage.finished(await stage.create({ job: "quick" }));
    deepStrictEqual(await stage.backend.get(task.id, OWNER), parked);
    await stage.answer(parked, YES);
    deepStrictEqual(await stage.valueOf(task), YES);
  },

  "a task with several open questions continues after the last answer": async (stage) => {
    await stage.work({ twice: (_, ctx) => Promise.all([ctx.elicit(CONFIRM), ctx.elicit(CONFIRM)]) }, AT_ONCE);
    const task = await stage.create({ job: "twice" });
    const parked = await stage.parked(task);
    const [first, second] = openQuestions(parked);
    const { task: half } = await stage.backend.answer(task.id, OWNER, { [first?.key ?? ""]: YES });
    deepStrictEqual([half.status, "parked" in half, openQuestions(half)], ["INPUT_REQUIRED", true, [second]]);
    await stage.backend.answer(task.id, OWNER, { [second?.key ?? ""]: NO });
    deepStrictEqual(await stage.valueOf(task), [YES, NO]);
  },

  "an answered task runs before tasks of its priority that never ran, and after more urgent ones": async (stage) => {
    const order: string[] = [];
    const code: Code = async ({ name, asks }, ctx) => {
      if (asks) await ctx.elicit(CONFIRM);
      order.push(String(name));
    };
    const worker = await stage.work({ note: code }, AT_ONCE);
    const older = newTaskId();
    const task = await stage.create({ job: "note", input: { name: "answered", asks: true }, priority: 5 });
    const parked = await stage.parked(task);
    await worker.close(0);
    // Its id is older, and it is queued before the other one is queued again.
    const late = await stage.create({ id: older, job: "note", input: { name: "late" }, priority: 5 });
    const urgent = await stage.create({ job: "note", input: { name: "urgent" }, priority: 1 });
    await stage.answer(parked, YES);
    await stage.work({ note: code }, AT_ONCE);
    for (const one of [late, task, urgent]) await stage.finished(one);
    deepStrictEqual(order, ["urgent", "answered", "late"]);
  },

  "parking uses up no attempt: a task with a single one can ask five times": async (stage) => {
    const attempts: number[] = [];
    await stage.work({
      ask: async (_, ctx) => {
        attempts.push(ctx.attempt);
        for (let i = 0; i < 5; i++) await ctx.elicit(CONFIRM);
        return "done";
      },
    }, AT_ONCE);
    const task = await stage.create({ job: "ask" });
    let parked: TaskInfo = task;
    for (let i = 0; i < 5; i++) {
      parked = await stage.until(task, `parked for the ${i + 1}. time`, (now) => {
        return "parked" in now && now.revision > parked.revision && openQuestions(now).length > 0;
      });
      parked = await stage.answer(parked, YES);
    }
    const end = await stage.finished(task);
    deepStrictEqual([end.status, end.attempt, attempts], ["COMPLETED", 1, [1, 1, 1, 1, 1, 1]]);
  },

  "an attempt that fails after it was parked counts once, and the next one is the second": async (stage) => {
    await stage.work({
      ask: async (_, ctx) => {
        await ctx.elicit(CONFIRM);
        if (ctx.attempt === 1) throw new Error("not today");
        return ctx.attempt;
      },
    }, AT_ONCE);
    const task = await stage.create({ job: "ask", retry: { attempts: 2, delay: 10, maxDelay: 10 } });
    await stage.answer(await stage.parked(task), YES);
    strictEqual(await stage.valueOf(task), 2);
  },

  "a parked task can be cancelled: it ends at once, and never runs again": async (stage) => {
    let runs = 0;
    await stage.work({ ask: (input, ctx) => (runs++, ask(input, ctx)), quick: () => "done" }, AT_ONCE);
    const task = await stage.create({ job: "ask" });
    const parked = await stage.parked(task);
    const end = await stage.backend.cancel(task.id, OWNER, 20_000);
    deepStrictEqual([end.status, "work" in end && end.work, openQuestions(end)], ["CANCELLED", "stopped", []]);
    deepStrictEqual(["parked" in end, await stage.answer(parked, YES)], [false, end]);
    await stage.finished(await stage.create({ job: "quick" }));
    deepStrictEqual([runs, await stage.backend.get(task.id, OWNER)], [1, end]);
  },

  "another owner cannot answer a parked task, and only the first answer counts": async (stage) => {
    const worker = await stage.work({ ask }, AT_ONCE);
    const task = await stage.create({ job: "ask" });
    const parked = await stage.parked(task);
    const [question] = openQuestions(parked);
    await rejects(stage.backend.answer(task.id, "owner-2", { [question?.key ?? ""]: YES }), TaskNotFound);
    deepStrictEqual(await stage.backend.get(task.id, OWNER), parked);
    await worker.close(0);
    await stage.answer(parked, NO);
    const after = await stage.answer(parked, YES);
    strictEqual(after.status, "PENDING");
    await stage.work({ ask }, AT_ONCE);
    deepStrictEqual(await stage.valueOf(task), NO);
  },

  "an answer that arrives while its task is being parked is not lost": async (stage) => {
    const second = await stage.connect();
    await stage.work({ ask }, { parkAfter: 0 });
    const tasks = await Promise.all(Array.from({ length: 30 }, async () => {
      const task = await stage.create({ job: "ask" });
      const asking = await stage.until(task, "asking", (now) => openQuestions(now).length > 0);
      await stage.answer(asking, YES, second);
      return task;
    }));
    for (const task of tasks) {
      deepStrictEqual(await stage.valueOf(task), YES);
    }
  },

  "a worker that stops parks a task that waits for an answer at once, and not only after its grace": async (stage) => {
    const worker = await stage.work({ ask, quick: () => "done" }, { parkAfter: 60_000 });
    const task = await stage.create({ job: "ask" });
    await stage.until(task, "asking", (now) => openQuestions(now).length > 0);
    const closed = worker.close(60_000);
    const parked = await stage.parked(task);
    await closed;
    await stage.work({ ask, quick: () => "done" });
    await stage.finished(await stage.create({ job: "quick" }));
    deepStrictEqual(await stage.backend.get(task.id, OWNER), parked);
    await stage.answer(parked, YES);
    deepStrictEqual(await stage.valueOf(task), YES);
  },

  "a question that is asked while its worker stops parks its task as soon as it is stored": async (stage) => {
    const [begun, asks] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const worker = await stage.work({
      ask: async (input, ctx) => {
        begun.resolve();
        await asks.promise;
        return await ask(input, ctx);
      },
    }, { parkAfter: 60_000 });
    const task = await stage.create({ job: "ask" });
    await begun.promise;
    const closed = worker.close(60_000);
    asks.resolve();
    const parked = await stage.parked(task);
    deepStrictEqual(openQuestions(parked).length, 1);
    await closed;
  },

  "a parked task outlives its worker, which is killed": whereWorkersDie(async (stage) => {
    const doomed = await stage.startDoomedWorker("ask");
    const task = await stage.create({ job: "ask", input: { step: true, park: true } });
    const parked = await stage.parked(task);
    await doomed.kill();
    const noted: unknown[] = [];
    await stage.work({
      ask: async (_, ctx) => {
        noted.push(ctx.attempt, await ctx.step("first", () => "run again"));
        return await ctx.elicit(CONFIRM);
      },
      quick: () => "done",
    });
    await stage.finished(await stage.create({ job: "quick" }));
    deepStrictEqual([await stage.backend.get(task.id, OWNER), noted], [parked, []]);
    await stage.answer(parked, YES);
    const end = await stage.finished(task);
    // Usually the first attempt; the second if the machine stalls while the other process starts.
    deepStrictEqual([end.status, end.attempt], ["COMPLETED", parked.attempt]);
    deepStrictEqual(noted, [parked.attempt, "recorded before the worker died"]);
  }),
};
