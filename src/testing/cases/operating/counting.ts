/**
 * Cases: how many tasks an operator counts, and which workers they see.
 *
 * @module
 */
import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert";
import type { WorkerInfo } from "../../../backend.ts";
import { TaskNotFound } from "../../../errors.ts";
import {
  ask,
  AT_ONCE,
  type Cases,
  type Code,
  CONFIRM,
  eventually,
  NAP_MS,
  NO,
  OWNER,
  whereWorkersDie,
} from "../../stage.ts";
import { countsOf, endless, fail } from "./operator.ts";
import { NO_TASKS } from "../../../operator/counts.ts";

const LATER = 3_600_000;

export const counting: Cases = {
  "an operator counts the tasks of each job in each state": async (stage) => {
    const second = await stage.connect();
    deepStrictEqual(await stage.backend.operator.counts(), []);
    await stage.work({
      any: ({ does }, ctx) => {
        if (does === "run") return endless({}, ctx);
        if (does === "ask") return ctx.elicit(CONFIRM);
        if (does === "fail") throw new Error("no luck");
      },
    }, { parkAfter: Infinity, concurrency: 20 });
    await stage.work({
      parks: ({ does }, ctx) => does === "sleep" ? ctx.sleep("for long", LATER) : ctx.elicit(CONFIRM),
    }, { parkAfter: 0 });
    const start = (does: string, attempts = 1) =>
      stage.create({ job: "any", owner: does, input: { does }, retry: { attempts, delay: LATER, maxDelay: LATER } });
    for (let i = 0; i < 3; i++) await stage.finished(await start("return"));
    for (let i = 0; i < 2; i++) await stage.finished(await start("fail"));
    for (let i = 0; i < 2; i++) await stage.running(await start("run"));
    const cancelled = await stage.create({ job: "any", delay: LATER });
    await stage.backend.cancel(cancelled.id, OWNER, 0);
    await stage.until(cancelled, "CANCELLED", ({ status }) => status === "CANCELLED");
    await stage.until(await start("fail", 2), "RETRYING", ({ status }) => status === "RETRYING");
    await stage.until(await start("ask"), "asking", ({ status }) => status === "INPUT_REQUIRED");
    await stage.create({ job: "any", delay: LATER });
    for (const does of ["ask", "sleep"]) await stage.parked(await stage.create({ job: "parks", input: { does } }));
    const waits = await stage.create({ job: "waits", priority: 7 });
    await stage.create({ job: "waits" });
    const counts = { PENDING: 1, RUNNING: 2, RETRYING: 1, INPUT_REQUIRED: 1, COMPLETED: 3, FAILED: 2, CANCELLED: 1 };
    const all = [
      { job: "any", counts, parked: 0, paused: false, hasWorker: true },
      { job: "parks", counts: { ...NO_TASKS, PENDING: 1, INPUT_REQUIRED: 1 }, parked: 2, paused: false },
      {
        ...{ job: "waits", counts: { ...NO_TASKS, PENDING: 2 }, parked: 0, paused: false },
        ...{ oldestWaiting: waits.createdAt, hasWorker: false },
      },
    ];
    for (const backend of [stage.backend, second]) deepStrictEqual(await backend.operator.counts(), all);
  },

  "an operator sees which of the jobs whose tasks wait or run have a worker": async (stage) => {
    const second = await stage.connect();
    await stage.work({ busy: endless }, { concurrency: 1 });
    await stage.work({ runs: endless });
    for (const job of ["busy", "runs"]) await stage.running(await stage.create({ job }));
    for (const job of ["busy", "none"]) await stage.create({ job });
    for (const { operator } of [stage.backend, second]) {
      await eventually("the worker is known", async () => {
        const known = (await operator.counts()).map(({ job, hasWorker }) => `${job}: ${hasWorker}`);
        return known.join() === "busy: true,none: false,runs: true";
      });
    }
  },

  "a task that was handed back or answered is counted under its new status": async (stage) => {
    const worker = await stage.work({ asks: ask, runs: endless }, { parkAfter: 0 });
    const [asks, runs] = [await stage.create({ job: "asks" }), await stage.create({ job: "runs" })];
    const parked = await stage.parked(asks);
    await stage.running(runs);
    await worker.close(0);
    await stage.answer(parked, NO);
    for (const job of ["asks", "runs"]) {
      const counted = await countsOf(stage.backend, job);
      deepStrictEqual([counted?.counts, counted?.parked], [{ ...NO_TASKS, PENDING: 1 }, 0]);
      ok(counted?.oldestWaiting);
    }
    await stage.work({ asks: ask, runs: fail });
    for (const task of [asks, runs]) await stage.finished(task);
    deepStrictEqual((await countsOf(stage.backend, "asks"))?.counts, { ...NO_TASKS, COMPLETED: 1 });
    deepStrictEqual((await countsOf(stage.backend, "runs"))?.counts, { ...NO_TASKS, FAILED: 1 });
  },

  "a task that is due counts as waiting, also if there is no worker to notice": async (stage) => {
    const task = await stage.create({ job: "later", delay: 50 });
    for (const job of ["later", "latest"]) await stage.create({ job, delay: LATER });
    const dueAt = "dueAt" in task ? task.dueAt : undefined;
    ok(dueAt);
    await eventually("it is due", async () => (await countsOf(stage.backend, "later"))?.oldestWaiting === dueAt);
    strictEqual((await countsOf(stage.backend, "latest"))?.oldestWaiting, undefined);
  },

  "a task that was answered waits since its answer": async (stage) => {
    const worker = await stage.work({ asks: ask }, { parkAfter: 0 });
    const parked = await stage.parked(await stage.create({ job: "asks" }));
    await worker.close(0);
    await eventually("time has passed", () => Date.now() > parked.updatedAt + 10);
    await stage.answer(parked, NO);
    const { updatedAt } = await stage.backend.get(parked.id, parked.owner);
    ok(updatedAt > parked.updatedAt);
    strictEqual((await countsOf(stage.backend, "asks"))?.oldestWaiting, updatedAt);
  },

  "a task that was answered has not waited longer than those of its priority that waited before": async (stage) => {
    const worker = await stage.work({ asks: ask }, { parkAfter: 0 });
    const parked = await stage.parked(await stage.create({ job: "asks", priority: 5 }));
    await worker.close(0);
    const waits = await stage.create({ job: "asks", priority: 5 });
    await stage.create({ job: "asks", priority: 7 });
    await eventually("time has passed", () => Date.now() > waits.createdAt + 10);
    await stage.answer(parked, NO);
    strictEqual((await countsOf(stage.backend, "asks"))?.oldestWaiting, waits.createdAt);
  },

  "a task that is handed back waits since then, behind those that waited before": async (stage) => {
    const worker = await stage.work({ runs: endless }, { concurrency: 1 });
    const runs = await stage.create({ job: "runs" });
    await stage.running(runs);
    await eventually("time has passed", () => Date.now() > runs.createdAt + 10);
    const waits = await stage.create({ job: "runs" });
    await worker.close(0);
    strictEqual((await countsOf(stage.backend, "runs"))?.oldestWaiting, waits.createdAt);
    await stage.backend.cancel(waits.id, OWNER, 0);
    const { updatedAt } = await stage.backend.get(runs.id, runs.owner);
    strictEqual((await countsOf(stage.backend, "runs"))?.oldestWaiting, updatedAt);
  },

  "a task that failed with a NUL character in its error, and is due again, counts as waiting": async (stage) => {
    const go = Promise.withResolvers<void>();
    const fails: Code = async () => {
      await go.promise;
      throw new Error("no\u0000luck");
    };
    await stage.work({ fails });
    const task = await stage.create({ job: "fails", retry: { attempts: 2, delay: 10, maxDelay: 10 } });
    await stage.running(task);
    await stage.backend.operator.pause("fails");
    go.resolve();
    const { message } = await stage.until(task, "RETRYING", ({ status }) => status === "RETRYING");
    ok(message?.includes("\u0000"));
    await eventually("it is due", async () => (await countsOf(stage.backend, "fails"))?.oldestWaiting !== undefined);
  },

  "a task that slept and is due waits since then": async (stage) => {
    const go = Promise.withResolvers<void>();
    const naps: Code = async (_, ctx) => {
      await go.promise;
      await ctx.sleep("nap", NAP_MS);
      return await endless({}, ctx);
    };
    const worker = await stage.work({ naps }, { parkAfter: 0, concurrency: 2 });
    const tasks = [await stage.create({ job: "naps" }), await stage.create({ job: "naps" })];
    for (const task of tasks) await stage.running(task);
    // So nobody takes them when they are due: both are seen parked, however late.
    await stage.backend.operator.pause("naps");
    go.resolve();
    const dueTimes = (await Promise.all(tasks.map((task) => stage.parked(task)))).map((task) =>
      "dueAt" in task && task.dueAt || Infinity
    );
    await worker.close(0);
    const due = Math.min(...dueTimes);
    await eventually("both are due", () => Date.now() > Math.max(...dueTimes) + 10);
    await stage.work({ naps }, AT_ONCE);
    await stage.backend.operator.resume("naps");
    await eventually("one of them runs", async () => (await countsOf(stage.backend, "naps"))?.counts.RUNNING === 1);
    const since = (await countsOf(stage.backend, "naps"))?.oldestWaiting;
    ok(since !== undefined && since >= due, `The other one is due since ${due}, and waits since ${since}.`);
  },

  "an operator sees the workers of all connections, and what each runs, until they stop": async (stage) => {
    const second = await stage.connect();
    const before = Date.now();
    const worker = await stage.work({ endless, other: fail });
    await stage.work({ more: endless }, { backend: second });
    const [task, other] = [await stage.create({ job: "endless" }), await stage.create({ job: "more" })];
    for (const one of [task, other]) await stage.running(one);
    for (const backend of [stage.backend, second]) {
      let workers: readonly WorkerInfo[] = [];
      await eventually("each worker is seen with its task", async () => {
        workers = [...await backend.operator.workers()].sort((a, b) => b.jobs.length - a.jobs.length);
        return workers.flatMap(({ running }) => running).length === 2;
      });
      deepStrictEqual(workers.map(({ jobs, running }) => [[...jobs].sort(), running]), [
        [["endless", "other"], [task.id]],
        [["more"], [other.id]],
      ]);
      strictEqual(new Set(workers.map(({ name }) => name)).size, 2);
      for (const { pid, host, since } of workers) {
        deepStrictEqual([pid, host], [Deno.pid, Deno.hostname()]);
        ok(since >= before && since <= Date.now());
      }
    }
    await worker.close(0);
    for (const backend of [stage.backend, second]) {
      await eventually("the worker is gone", async () => (await backend.operator.workers()).length === 1);
    }
  },

  "an operator stops code in another process, and sees its worker until it is killed": whereWorkersDie(
    async (stage) => {
      const doomed = await stage.startDoomedWorker("doomed");
      const task = await stage.create({ job: "doomed" });
      await stage.running(task);
      const operator = stage.backend.operator;
      const workers: WorkerInfo[] = [];
      await eventually("the worker is seen with its task", async () => {
        workers.splice(0, Infinity, ...await operator.workers());
        return workers[0]?.running.includes(task.id) === true;
      });
      deepStrictEqual(workers.map(({ host, pid }) => [host, pid !== Deno.pid]), [[Deno.hostname(), true]]);
      strictEqual(await stage.backend.hasWorker("doomed"), true);
      const end = await operator.cancel(task.id, 30_000);
      deepStrictEqual([end.status, "work" in end && end.work], ["CANCELLED", "stopped"]);
      await doomed.kill();
      await eventually("the worker is gone", async () => (await operator.workers()).length === 0);
      await eventually("the worker is no longer known", async () => !await stage.backend.hasWorker("doomed"));
    },
  ),

  "an operator sees that a task runs in no worker that is alive, also if no task waits": whereWorkersDie(
    async (stage) => {
      const doomed = await stage.startDoomedWorker("doomed");
      await stage.running(await stage.create({ job: "doomed" }));
      await doomed.kill();
      await eventually(
        "no worker is known",
        async () => (await countsOf(stage.backend, "doomed"))?.hasWorker === false,
      );
      strictEqual((await countsOf(stage.backend, "doomed"))?.counts.RUNNING, 1);
    },
  ),

  "an operator sees the steps of a task that runs, and when each was recorded": async (stage) => {
    const second = await stage.connect();
    await stage.work({
      steps: async ({ fail }, ctx) => {
        if (fail) return "no step";
        await ctx.step("load", () => ctx.step("parse", () => 1));
        await ctx.step("load", () => 2);
        await ctx.progress(0.5, "both are done");
        return await endless({}, ctx);
      },
    });
    const operator = second.operator;
    const without = await stage.create({ job: "steps", input: { fail: true } });
    await stage.finished(without);
    deepStrictEqual(await operator.steps(without.id), []);
    const task = await stage.create({ job: "steps", owner: "ann" });
    await stage.until(task, "at both steps", ({ message }) => message === "both are done");
    const steps = await operator.steps(task.id);
    deepStrictEqual(steps.map(({ name }) => name), ["load", "load##parse", "load#2"]);
    ok(steps.every(({ at = 0 }) => Math.abs(at - task.createdAt) < 60_000));
    await operator.cancel(task.id);
    deepStrictEqual(await operator.steps(task.id), []);
    await rejects(operator.steps(crypto.randomUUID()), TaskNotFound);
  },
};
