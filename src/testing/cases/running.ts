/**
 * Cases: how tasks run, end, are retried, wait and are ordered.
 *
 * @module
 */
import { deepStrictEqual, match, ok, strictEqual } from "node:assert";
import { AsyncLocalStorage } from "node:async_hooks";
import type { Claim } from "../../backend.ts";
import { JobFault, ToolError } from "../../errors.ts";
import type { TaskInfo } from "../../task.ts";
import { aborted, type Cases, type Code, eventually, OWNER, within } from "../stage.ts";

const RETRY = { attempts: 3, delay: 50, maxDelay: 100 };

const TRACE = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", tracestate: "vendor=1" };

export const running: Cases = {
  "the code of a task that was created in a step of another one knows nothing of that step and its context": async (
    stage,
  ) => {
    const context = new AsyncLocalStorage<string>();
    let inner: TaskInfo | undefined;
    await stage.work({
      outer: (_, ctx) =>
        ctx.step("work", () =>
          context.run("outer", async () => {
            inner = await stage.create({ job: "inner" });
            return null;
          })),
      inner: (_, ctx) => ctx.step("work", () => context.getStore() ?? "none"),
    }, { concurrency: 2 });
    await stage.valueOf(await stage.create({ job: "outer" }));
    ok(inner);
    strictEqual(await stage.valueOf(inner), "none");
  },

  "a task starts as PENDING, and its progress can be seen through another connection": async (stage) => {
    const second = await stage.connect();
    const gate = Promise.withResolvers<void>();
    await stage.work({
      report: async (_, ctx) => {
        await ctx.progress(0.5, "half way");
        await gate.promise;
        await ctx.log("nearly there");
        return "done";
      },
    });
    const task = await stage.create({ job: "report" }, second);
    deepStrictEqual([task.status, task.attempt, task.owner, task.job], ["PENDING", 0, OWNER, "report"]);
    const half = await stage.until(task, "half way", ({ progress }) => progress === 0.5, second);
    deepStrictEqual([half.status, half.attempt, half.message], ["RUNNING", 1, "half way"]);
    gate.resolve();
    const end = await stage.finished(task, second);
    deepStrictEqual([end.status, end.attempt], ["COMPLETED", 1]);
    deepStrictEqual(await second.outcome(task.id, OWNER), { kind: "value", value: "done" });
  },

  "a worker with `after` is known at once, claims nothing before that, and then takes the waiting tasks": async (
    stage,
  ) => {
    const { promise: may, resolve } = Promise.withResolvers<void>();
    const before = await stage.create({ job: "waits" });
    await stage.take("waits", () => Promise.resolve({ kind: "value", value: "done" }), may);
    await eventually("the worker is known", () => stage.backend.hasWorker("waits"));
    const beside = await stage.create({ job: "waits" });
    await stage.work({ quick: () => "done" });
    await stage.finished(await stage.create({ job: "quick" }));
    for (const { id } of [before, beside]) strictEqual((await stage.backend.get(id, OWNER)).status, "PENDING");
    resolve();
    for (const task of [before, beside]) strictEqual((await stage.finished(task)).status, "COMPLETED");
    strictEqual((await stage.finished(await stage.create({ job: "waits" }))).status, "COMPLETED");
  },

  "a worker that stops before `after` resolves never claims a task": async (stage) => {
    const { promise: may, resolve } = Promise.withResolvers<void>();
    const task = await stage.create({ job: "waits" });
    const worker = await stage.take("waits", () => Promise.resolve({ kind: "value", value: "done" }), may);
    await worker.stop(0);
    resolve();
    await stage.work({ quick: () => "done" });
    await stage.finished(await stage.create({ job: "quick" }));
    strictEqual((await stage.backend.get(task.id, OWNER)).status, "PENDING");
  },

  "the code of a job knows its task, its job, the owner and the trace in which the task was created": async (stage) => {
    await stage.work({
      knows: (_, { id, job, owner, attempt, trace }) => ({ id, job, owner, attempt, trace: trace ?? null }),
    });
    const task = await stage.create({ job: "knows", owner: "user:ann", trace: TRACE });
    await stage.finished(task);
    const { id } = task;
    const value = { id, job: "knows", owner: "user:ann", attempt: 1, trace: TRACE };
    deepStrictEqual(await stage.backend.outcome(id, "user:ann"), { kind: "value", value });
  },

  "each attempt receives the trace in which its task was created": async (stage) => {
    const seen: Claim["trace"][] = [];
    await stage.take("traced", ({ trace, task: { attempt } }) => {
      seen.push(trace);
      return Promise.resolve({ kind: "error", message: "no", retry: attempt === 1 });
    });
    await stage.finished(await stage.create({ job: "traced", retry: RETRY, trace: TRACE }));
    await stage.finished(await stage.create({ job: "traced", retry: RETRY }));
    deepStrictEqual(seen, [TRACE, TRACE, undefined, undefined]);
  },

  "an error that a job throws is a tool error, and a JobFault is a fault with its code": async (stage) => {
    await stage.work({
      error: () => {
        throw new Error("no such user");
      },
      fault: () => {
        throw new JobFault("bad parameters", -32602);
      },
    });
    const failed = await stage.create({ job: "error" });
    const end = await stage.finished(failed);
    deepStrictEqual([end.status, "failure" in end && end.failure], ["FAILED", "tool_error"]);
    const said = await stage.backend.outcome(failed.id, OWNER);
    deepStrictEqual(said, { kind: "tool_error", message: "no such user" });

    const faulty = await stage.create({ job: "fault", retry: RETRY });
    const faultEnd = await stage.finished(faulty);
    deepStrictEqual([faultEnd.status, "failure" in faultEnd && faultEnd.failure], ["FAILED", "fault"]);
    strictEqual(faultEnd.attempt, 1);
    const fault = await stage.backend.outcome(faulty.id, OWNER);
    deepStrictEqual(fault, { kind: "fault", message: "bad parameters", code: -32602 });
  },

  "a task that fails once is RETRYING for a while, and then succeeds": async (stage) => {
    await stage.work({
      flaky: (_, { attempt }) => {
        if (attempt === 1) throw new Error("not today");
        return attempt;
      },
    });
    // Some backends read the state when they are notified of a change: where the pause is short, it may be over by then.
    const waits = await stage.create({ job: "flaky", retry: { ...RETRY, delay: 60_000, maxDelay: 60_000 } });
    const retrying = await stage.until(waits, "RETRYING", ({ status }) => status === "RETRYING");
    strictEqual(retrying.attempt, 1);
    match(retrying.message ?? "", /not today/);
    const task = await stage.create({ job: "flaky", retry: RETRY });
    const end = await stage.finished(task);
    deepStrictEqual([end.status, end.attempt], ["COMPLETED", 2]);
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: 2 });
  },

  "a task that has used up its attempts fails with the last error": async (stage) => {
    const attempts: number[] = [];
    await stage.work({
      hopeless: (_, { attempt }) => {
        attempts.push(attempt);
        throw new Error(`failed at attempt ${attempt}`);
      },
    });
    const task = await stage.create({ job: "hopeless", retry: RETRY });
    const end = await stage.finished(task);
    deepStrictEqual([end.status, end.attempt], ["FAILED", 3]);
    deepStrictEqual(attempts, [1, 2, 3]);
    const outcome = await stage.backend.outcome(task.id, OWNER);
    deepStrictEqual(outcome, { kind: "tool_error", message: "failed at attempt 3" });
  },

  "a ToolError ends a task at once, however many attempts remain": async (stage) => {
    await stage.work({
      declined: () => {
        throw new ToolError("The card was declined.");
      },
    });
    const task = await stage.create({ job: "declined", retry: RETRY });
    const end = await stage.finished(task);
    deepStrictEqual([end.status, end.attempt], ["FAILED", 1]);
    const outcome = await stage.backend.outcome(task.id, OWNER);
    deepStrictEqual(outcome, { kind: "tool_error", message: "The card was declined." });
  },

  "a failed task keeps its last progress, even if the job did not await its reports": async (stage) => {
    await stage.work({
      hasty: (_, ctx) => {
        for (let tenth = 1; tenth < 10; tenth++) void ctx.progress(tenth / 10);
        throw new ToolError("not today");
      },
    });
    const tasks = await Promise.all(Array.from({ length: 30 }, () => stage.create({ job: "hasty" })));
    const ends = await Promise.all(tasks.map((task) => stage.finished(task)));
    await stage.finished(await stage.create({ job: "hasty" }));
    deepStrictEqual(await Promise.all(tasks.map(({ id }) => stage.backend.get(id, OWNER))), ends);
  },

  "an attempt that takes longer than its time-out is aborted, and retried": async (stage) => {
    const stopped: number[] = [];
    await stage.work({
      slow: (_, { signal, attempt }) => aborted(signal).catch(() => stopped.push(attempt)),
      stubborn: () => new Promise(() => {}),
    });
    const retry = { ...RETRY, attempts: 2 };
    for (const job of ["slow", "stubborn"]) {
      const task = await stage.create({ job, timeout: 50, retry });
      const end = await stage.finished(task);
      deepStrictEqual([end.status, end.attempt], ["FAILED", 2]);
      const outcome = await stage.backend.outcome(task.id, OWNER);
      match("message" in outcome ? outcome.message : "", /longer than 50 ms/);
    }
    deepStrictEqual(stopped, [1, 2]);
  },

  "a delayed task does not start early": async (stage) => {
    // A feed may emit only the newest state, so the tasks run until they were seen running.
    const gate = Promise.withResolvers<string>();
    const before = await stage.create({ job: "gated", delay: 300 });
    await stage.work({ gated: () => gate.promise });
    const beside = await stage.create({ job: "gated", delay: 300 });
    strictEqual(before.status, "PENDING");
    const begun = [await stage.running(before), await stage.running(beside)];
    gate.resolve("done");
    // All times are from the store's clock.
    for (const { updatedAt, createdAt } of begun) {
      ok(updatedAt - createdAt >= 300, `It began ${updatedAt - createdAt} ms after it was stored.`);
    }
    for (const task of [before, beside]) strictEqual((await stage.finished(task)).status, "COMPLETED");
  },

  "the most urgent task runs first, and equally urgent ones run in the order of creation": async (stage) => {
    const order: string[] = [];
    const waiting: [string, number | undefined][] = [["e", 9], ["c", 5], ["a", undefined], ["d", 5], ["b", 0]];
    const tasks = [];
    for (const [name, priority] of waiting) tasks.push(await stage.create({ job: "note", input: { name }, priority }));
    await stage.work({ note: ({ name }) => order.push(String(name)) }, { concurrency: 1 });
    for (const task of tasks) await stage.finished(task);
    deepStrictEqual(order, ["a", "b", "c", "d", "e"]);
  },

  "of the tasks of several jobs, a worker runs the most urgent first, then the oldest": async (stage) => {
    const order: string[] = [];
    const code: Code = ({ name }) => order.push(String(name));
    const alike = [["second", "d", 5], ["first", "e", 5], ["second", "f", 5], ["first", "g", 5]] as const;
    const waiting = [["second", "h", 9], ...alike, ["first", "c", 3], ["second", "b", 2], ["first", "a", 1]] as const;
    const tasks: TaskInfo[] = [];
    for (const [job, name, priority] of waiting) tasks.push(await stage.create({ job, input: { name }, priority }));
    await stage.work({ first: code, second: code }, { concurrency: 1 });
    for (const task of tasks) await stage.finished(task);
    deepStrictEqual(order, ["a", "b", "c", "d", "e", "f", "g", "h"]);
  },

  "a worker runs as many tasks at once as its concurrency, and never more": async (stage) => {
    const allBusy = Promise.withResolvers<void>();
    let busy = 0;
    let most = 0;
    await stage.work({
      count: async () => {
        most = Math.max(most, ++busy);
        if (busy === 3) allBusy.resolve();
        await allBusy.promise;
        busy--;
      },
    }, { concurrency: 3 });
    const tasks = await Promise.all(Array.from({ length: 20 }, () => stage.create({ job: "count" })));
    for (const task of tasks) await stage.finished(task);
    strictEqual(most, 3);
  },

  "a worker does not touch tasks of other jobs": async (stage) => {
    await stage.work({ mine: () => "done" });
    const other = await stage.create({ job: "not mine" });
    for (let i = 0; i < 5; i++) await stage.finished(await stage.create({ job: "mine" }));
    deepStrictEqual(await stage.backend.get(other.id, OWNER), other);
  },

  "two workers on two connections share 200 tasks, and no task runs twice": async (stage) => {
    const second = await stage.connect();
    const runs = new Map<string, number>();
    const bothWork = Promise.withResolvers<void>();
    const workers = new Set<string>();
    const codeOf = (worker: string) => async (_: unknown, { id }: { readonly id: string }) => {
      runs.set(id, (runs.get(id) ?? 0) + 1);
      if (workers.add(worker).size === 2) bothWork.resolve();
      await within(bothWork.promise, () => `Only worker ${worker} has got tasks.`);
    };
    await stage.work({ share: codeOf("one") });
    await stage.work({ share: codeOf("two") }, { backend: second });
    const tasks = await Promise.all(Array.from({ length: 200 }, () => stage.create({ job: "share" })));
    for (const task of tasks) strictEqual((await stage.finished(task)).status, "COMPLETED");
    strictEqual(runs.size, 200);
    deepStrictEqual([...runs].filter(([, count]) => count !== 1), []);
  },
};
