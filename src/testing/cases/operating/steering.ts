/**
 * Cases: an operator cancels, repeats and deletes tasks of any owner.
 *
 * @module
 */
import { deepStrictEqual, notStrictEqual, ok, rejects, strictEqual } from "node:assert";
import { InvalidInput, TaskCancelled, TaskFinished, TaskNotFound, TaskNotReady } from "../../../errors.ts";
import { aborted, type Cases, type Code, eventually, OWNER } from "../../stage.ts";
import { countsOf, endless, fail } from "./operator.ts";

export const steering: Cases = {
  "an operator cancels a task of any owner, and its code in another process learns of it": async (stage) => {
    const second = await stage.connect();
    let reason: unknown;
    const code: Code = (_, { signal }) => aborted(signal).finally(() => reason = signal.reason);
    await stage.work({ endless: code }, { backend: second });
    const operator = stage.backend.operator;
    const task = await stage.create({ job: "endless", owner: "ann" });
    await stage.running(task);
    const end = await operator.cancel(task.id, 30_000);
    deepStrictEqual([end.status, "work" in end && end.work], ["CANCELLED", "stopped"]);
    ok(reason instanceof TaskCancelled);
    deepStrictEqual(await stage.backend.get(task.id, "ann"), end);
    await rejects(operator.cancel(task.id), TaskFinished);
    const waits = await stage.create({ job: "waits", owner: "bob" });
    const never = await operator.cancel(waits.id);
    deepStrictEqual("work" in never && never.work, "never_started");
  },

  "a task that an operator repeats is another task of the same owner, job, input and options": async (stage) => {
    const operator = stage.backend.operator;
    let attempts = 0;
    const seen: unknown[] = [];
    await stage.take("flaky", ({ input, timeout, trace }) => {
      seen.push([input, timeout, trace]);
      return Promise.resolve(
        ++attempts === 4 ? { kind: "value", value: "at last" } : { kind: "error", message: "no", retry: true },
      );
    });
    const input = { large: "ü".repeat(100_000) };
    const trace = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
    const task = await stage.create({
      ...{ job: "flaky", owner: "ann", input, resultTtl: 50_000, timeout: 40_000, delay: 1, trace },
      ...{ retry: { attempts: 2, delay: 1, maxDelay: 1 }, key: { name: "once", window: 60_000 } },
    });
    const failed = await stage.finished(task);
    strictEqual(failed.status, "FAILED");
    const again = await operator.retry(task.id);
    notStrictEqual(again.id, task.id);
    deepStrictEqual([again.job, again.owner, again.resultTtl, again.retryOf], ["flaky", "ann", 50_000, task.id]);
    const end = await stage.finished(again);
    deepStrictEqual([end.status, end.attempt, end.retryOf], ["COMPLETED", 2, task.id]);
    deepStrictEqual(seen[3], [input, 40_000, undefined]);
    deepStrictEqual(await operator.input(again.id), input);
    deepStrictEqual(await operator.get(task.id), failed);
    deepStrictEqual((await stage.backend.list("ann", { limit: 10 })).tasks, [end, failed]);
  },

  "a task that an operator repeats has the priority of the first one": async (stage) => {
    const first = await stage.create({ job: "notes", priority: 5 });
    await stage.backend.cancel(first.id, OWNER, 0);
    const tasks = [await stage.backend.operator.retry(first.id)];
    for (const priority of [4, 6]) tasks.push(await stage.create({ job: "notes", priority }));
    const ran: string[] = [];
    await stage.work({ notes: (_, { id }) => void ran.push(id) }, { concurrency: 1 });
    for (const task of tasks) await stage.finished(task);
    deepStrictEqual(ran, [tasks[1], tasks[0], tasks[2]].map((task) => task?.id));
  },

  "each retry makes a task, and those with the same key make one, also at once and on two connections": async (
    stage,
  ) => {
    const operators = [stage.backend, await stage.connect()].map(({ operator }) => operator);
    const task = await stage.create({ job: "waits" });
    await stage.backend.cancel(task.id, OWNER, 0);
    const retry = async (...keys: (string | undefined)[]) => {
      const made = await Promise.all(keys.flatMap((key) => operators.map((operator) => operator.retry(task.id, key))));
      return new Set(made.map(({ id }) => id));
    };
    strictEqual((await retry(undefined, undefined)).size, 4);
    const one = await retry("a", "a");
    strictEqual(one.size, 1);
    strictEqual((await retry("b", "c")).size, 2);
    // It holds its key however it ends.
    for (const id of one) await stage.backend.cancel(id, OWNER, 0);
    deepStrictEqual(await retry("a"), one);
    for (const operator of operators) await rejects(operator.retry(task.id, "x".repeat(1_000)), InvalidInput);
    strictEqual((await stage.backend.list(OWNER, { limit: 100 })).tasks.length, 8);
  },

  "a task that has not finished cannot be repeated": async (stage) => {
    const operator = stage.backend.operator;
    await stage.work({ endless });
    const [waits, runs] = [await stage.create({ job: "waits" }), await stage.create({ job: "endless" })];
    await stage.running(runs);
    for (const { id } of [waits, runs]) {
      await rejects(
        operator.retry(id),
        (error) => error instanceof TaskNotReady && /^Cannot repeat/.test(error.message),
      );
    }
    strictEqual((await operator.tasks()).tasks.length, 2);
  },

  "a purge deletes the tasks of one status that finished before a time, and counts them": async (stage) => {
    const operator = (await stage.connect()).operator;
    await stage.work({ quick: () => "done", fails: fail });
    const make = async (job: string, owner = OWNER) => {
      const task = await stage.create({ job, owner });
      return job === "waits" ? await stage.backend.cancel(task.id, owner, 0) : await stage.finished(task);
    };
    const old = [await make("quick"), await make("fails"), await make("waits"), await make("quick", "ann")];
    const live = await stage.create({ job: "waits" });
    await eventually("the clock moves on", () => Date.now() > live.createdAt + 1);
    const newer = await make("quick");
    const before = newer.finishedAt;
    strictEqual(await operator.purge({ status: "COMPLETED", before: 1 }), 0);
    strictEqual(await operator.purge({ status: "COMPLETED", before }), 2);
    strictEqual(await operator.purge({ status: "COMPLETED", before }), 0);
    strictEqual(await operator.purge({ status: "FAILED", before: Infinity }), 1);
    const kept = [newer, live, old[2]].map((task) => task?.id);
    deepStrictEqual((await operator.tasks()).tasks.map(({ id }) => id), kept);
    deepStrictEqual((await stage.backend.list(OWNER, { limit: 9 })).tasks.map(({ id }) => id), kept);
    for (const { id, owner } of [old[0], old[1], old[3]].flatMap((task) => task ?? [])) {
      await rejects(stage.backend.get(id, owner), TaskNotFound);
      await rejects(stage.backend.outcome(id, owner), TaskNotFound);
      await rejects(operator.get(id), TaskNotFound);
    }
    deepStrictEqual(await stage.backend.outcome(newer.id, OWNER), { kind: "value", value: "done" });
    strictEqual((await countsOf(stage.backend, "quick"))?.counts.COMPLETED, 1);
    strictEqual(await countsOf(stage.backend, "fails"), undefined);
    // More than a store deletes at once.
    await Promise.all(Array.from({ length: 250 }, () => make("waits")));
    ok((await operator.tasks()).tasks.length <= 100, "A page has more than 100 tasks.");
    strictEqual(await operator.purge({ status: "CANCELLED", before: Infinity }), 251);
    deepStrictEqual((await operator.tasks()).tasks.map(({ id }) => id), [newer.id, live.id]);
  },
};
