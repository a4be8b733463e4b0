/**
 * Cases: tasks are cancelled before, during and after their run; a finished task never changes.
 *
 * @module
 */
import { deepStrictEqual, match, rejects, strictEqual } from "node:assert";
import type { Claim } from "../../backend.ts";
import { TaskFinished } from "../../errors.ts";
import { type FinishedTask, isFinished } from "../../task.ts";
import { pause } from "../../waiting.ts";
import { aborted, type Cases, OWNER, type Stage } from "../stage.ts";

/** How long a cancellation waits, in ms: longer than any living worker needs to answer. */
const PATIENT = 20_000;

async function checkCancelled(stage: Stage, task: FinishedTask, work: string): Promise<void> {
  deepStrictEqual([task.status, "work" in task && task.work], ["CANCELLED", work]);
  deepStrictEqual(await stage.backend.get(task.id, OWNER), task);
  const outcome = await stage.backend.outcome(task.id, OWNER);
  strictEqual(outcome.kind, "fault");
  match("message" in outcome ? outcome.message : "", /cancel/i);
}

export const cancelling: Cases = {
  "a waiting task is cancelled at once, and never runs": async (stage) => {
    const second = await stage.connect();
    const pending = await stage.create({ job: "note" });
    const delayed = await stage.create({ job: "note", delay: 100 });
    await checkCancelled(stage, await second.cancel(pending.id, OWNER, PATIENT), "never_started");
    await checkCancelled(stage, await second.cancel(delayed.id, OWNER, PATIENT), "never_started");
    const ran: string[] = [];
    await stage.work({ note: (_, { id }) => ran.push(id) });
    const later = await stage.create({ job: "note", delay: 200 });
    await stage.finished(later);
    deepStrictEqual(ran, [later.id]);
  },

  "a task between two attempts is cancelled, and not retried": async (stage) => {
    let runs = 0;
    const worker = await stage.work({
      flaky: () => {
        runs++;
        throw new Error("not today");
      },
    });
    const retry = { attempts: 5, delay: 60_000, maxDelay: 60_000 };
    const task = await stage.create({ job: "flaky", retry });
    await stage.until(task, "RETRYING", ({ status }) => status === "RETRYING");
    const end = await stage.backend.cancel(task.id, OWNER, PATIENT);
    await worker.close();
    await checkCancelled(stage, end, "stopped");
    strictEqual(runs, 1);
  },

  "a cancellation through another connection reaches the running code, and says that it has stopped": async (stage) => {
    const second = await stage.connect();
    const begun = Promise.withResolvers<void>();
    let hasStopped = false;
    await stage.work({
      careful: (_, { signal }) => {
        begun.resolve();
        // It takes a moment to stop, for which the cancellation waits.
        return aborted(signal).finally(() => pause(50)).finally(() => hasStopped = true);
      },
    });
    const task = await stage.create({ job: "careful" });
    await stage.running(task, second);
    await begun.promise;
    const end = await second.cancel(task.id, OWNER, PATIENT);
    await stage.finished(task);
    await checkCancelled(stage, end, "stopped");
    strictEqual(hasStopped, true);
  },

  "a cancellation reaches the code even while the worker is still reading its input": async (stage) => {
    const second = await stage.connect();
    await stage.work({ careful: (_, { signal }) => aborted(signal) });
    const task = await stage.create({ job: "careful", input: { text: "x".repeat(5_000_000) } });
    await stage.running(task);
    await checkCancelled(stage, await second.cancel(task.id, OWNER, PATIENT), "stopped");
  },

  "a cancellation that the code ignores says that the stop is not confirmed, and remains so": async (stage) => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const worker = await stage.work({
      stubborn: () => {
        begun.resolve();
        return gate.promise.then(() => "too late");
      },
    });
    const task = await stage.create({ job: "stubborn" });
    await stage.running(task);
    await begun.promise; // A worker that is asked to stop before it has begun need not begin.
    const end = await stage.backend.cancel(task.id, OWNER, 50);
    await checkCancelled(stage, end, "stop_requested");
    gate.resolve();
    // A closed worker writes nothing more.
    await worker.close(PATIENT);
    await checkCancelled(stage, end, "stop_requested");
  },

  "a cancellation between two attempts does not claim that code has stopped which ignored its time-out": async (
    stage,
  ) => {
    const gate = Promise.withResolvers<void>();
    const worker = await stage.work({ stubborn: () => gate.promise });
    const retry = { attempts: 2, delay: 60_000, maxDelay: 60_000 };
    const task = await stage.create({ job: "stubborn", timeout: 10, retry });
    await stage.until(task, "RETRYING", ({ status }) => status === "RETRYING");
    const end = await stage.backend.cancel(task.id, OWNER, PATIENT);
    gate.resolve();
    await worker.close();
    await checkCancelled(stage, end, "stop_requested");
  },

  "a cancellation while code ignores its time-out does not claim that it has stopped": async (stage) => {
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const worker = await stage.work({
      stubborn: (_, { signal }) => {
        signal.addEventListener("abort", () => asked.resolve());
        return gate.promise;
      },
    });
    // The cancellation may be late, when nobody waits for the code any longer: then the task waits for its next attempt.
    const retry = { attempts: 2, delay: 60_000, maxDelay: 60_000 };
    const task = await stage.create({ job: "stubborn", timeout: 10, retry });
    await asked.promise;
    const end = await stage.backend.cancel(task.id, OWNER, PATIENT);
    gate.resolve();
    await worker.close();
    await checkCancelled(stage, end, "stop_requested");
  },

  "cancelling a task that a worker has handed back says what is known about the work": async (stage) => {
    const gate = Promise.withResolvers<void>();
    const worker = await stage.work({ careful: (_, { signal }) => aborted(signal), stubborn: () => gate.promise });
    const tasks = [await stage.create({ job: "careful" }), await stage.create({ job: "stubborn" })];
    for (const task of tasks) await stage.running(task);
    await worker.close(0);
    const ends = await Promise.all(tasks.map(({ id }) => stage.backend.cancel(id, OWNER, PATIENT)));
    gate.resolve();
    deepStrictEqual(ends.map((end) => "work" in end && end.work), ["stopped", "stop_requested"]);
  },

  "a cancelled task keeps its last progress, whatever its code still reports": async (stage) => {
    const [goOn, reported] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const worker = await stage.work({
      stubborn: async (_, ctx) => {
        await ctx.progress(0.1, "begun");
        await goOn.promise;
        await ctx.progress(0.9, "nearly done");
        reported.resolve();
      },
    });
    const task = await stage.create({ job: "stubborn" });
    await stage.until(task, "begun", ({ message }) => message === "begun");
    const end = await stage.backend.cancel(task.id, OWNER, 50);
    goOn.resolve();
    await reported.promise;
    await worker.close(PATIENT);
    deepStrictEqual([end.status, await stage.backend.get(task.id, OWNER)], ["CANCELLED", end]);
    await stage.work({
      flaky: async (_, ctx) => {
        await ctx.progress(0.5, "half");
        throw new Error("not today");
      },
    });
    const retry = { attempts: 2, delay: 60_000, maxDelay: 60_000 };
    const again = await stage.create({ job: "flaky", retry });
    await stage.until(again, "RETRYING", ({ status }) => status === "RETRYING");
    const cancelled = await stage.backend.cancel(again.id, OWNER, PATIENT);
    deepStrictEqual(await stage.backend.get(again.id, OWNER), cancelled);
    deepStrictEqual(await stage.finished(again), cancelled);
  },

  "a task whose result is kept for 0 ms can be cancelled like any other": async (stage) => {
    await stage.work({ careful: (_, { signal }) => aborted(signal) });
    const waits = await stage.create({ job: "nobody runs this", resultTtl: 0 });
    strictEqual((await stage.backend.cancel(waits.id, OWNER, PATIENT)).status, "CANCELLED");
    const runs = await stage.create({ job: "careful", resultTtl: 1 });
    await stage.running(runs);
    strictEqual((await stage.backend.cancel(runs.id, OWNER, PATIENT)).status, "CANCELLED");
  },

  "cancelling a running task frees its worker for the next one": async (stage) => {
    await stage.work({ careful: (_, { signal }) => aborted(signal), quick: () => "done" }, { concurrency: 1 });
    const task = await stage.create({ job: "careful" });
    await stage.running(task);
    const next = await stage.create({ job: "quick" });
    await stage.backend.cancel(task.id, OWNER, PATIENT);
    strictEqual((await stage.finished(next)).status, "COMPLETED");
  },

  "a finished task cannot be cancelled, and does not change": async (stage) => {
    await stage.work({
      good: () => "done",
      bad: () => {
        throw new Error("failed");
      },
    });
    for (const job of ["good", "bad"]) {
      const task = await stage.create({ job });
      const end = await stage.finished(task);
      const outcome = await stage.backend.outcome(task.id, OWNER);
      await rejects(stage.backend.cancel(task.id, OWNER, 0), TaskFinished);
      deepStrictEqual(await stage.backend.get(task.id, OWNER), end);
      deepStrictEqual(await stage.backend.outcome(task.id, OWNER), outcome);
    }
    const waiting = await stage.create({ job: "nobody runs this" });
    await stage.backend.cancel(waiting.id, OWNER, 0);
    await rejects(stage.backend.cancel(waiting.id, OWNER, 0), TaskFinished);
  },

  "if cancellation and completion race, every task ends once, and the first end stays": async (stage) => {
    const second = await stage.connect();
    const worker = await stage.work({ quick: () => "done" });
    const tasks = await Promise.all(Array.from({ length: 30 }, async (_, i) => {
      const backend = i % 2 === 0 ? stage.backend : second;
      const task = await stage.create({ job: "quick" });
      await backend.cancel(task.id, OWNER, PATIENT).catch((error) => {
        if (!(error instanceof TaskFinished)) throw error;
      });
      return task;
    }));
    await worker.close(PATIENT);
    for (const task of tasks) {
      const end = await stage.finished(task);
      deepStrictEqual(stage.events(task).filter(isFinished), [end]);
      deepStrictEqual(await second.get(task.id, OWNER), end);
      const { kind } = await second.outcome(task.id, OWNER);
      strictEqual(kind, end.status === "COMPLETED" ? "value" : "fault");
    }
  },

  "a step that a worker records after its task was cancelled elsewhere is not stored": async (stage) => {
    const second = await stage.connect();
    const begun = Promise.withResolvers<Claim>();
    const gate = Promise.withResolvers<void>();
    await stage.take("held", async (claim) => {
      begun.resolve(claim);
      await gate.promise;
      return { kind: "value", value: null };
    });
    const task = await stage.create({ job: "held" }, second);
    const claim = await begun.promise;
    await second.cancel(task.id, OWNER, 0);
    await claim.record({ index: 0, text: JSON.stringify({ name: "late", value: 1 }) });
    gate.resolve();
    deepStrictEqual(await second.operator.steps(task.id), []);
  },
};
