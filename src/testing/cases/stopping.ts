/**
 * Cases: workers stop, with and without grace, and die.
 *
 * @module
 */
import { deepStrictEqual, match, rejects, strictEqual } from "node:assert";
import { BackendError, StoreLost } from "../../errors.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import { aborted, type Cases, type Code, OWNER, whereWorkersDie, within } from "../stage.ts";

export const stopping: Cases = {
  "a worker that stops with grace claims nothing new and finishes its running tasks": async (stage) => {
    const gate = Promise.withResolvers<void>();
    const worker = await stage.work({ gated: () => gate.promise.then(() => "done") }, { concurrency: 1 });
    const first = await stage.create({ job: "gated" });
    await stage.running(first);
    const next = await stage.create({ job: "gated" });
    const closed = worker.close(20_000);
    gate.resolve();
    await closed;
    deepStrictEqual(await stage.backend.outcome(first.id, OWNER), { kind: "value", value: "done" });
    strictEqual((await stage.backend.get(next.id, OWNER)).status, "PENDING");
  },

  "a worker that stops without grace hands back its running tasks, and the next worker completes them": async (
    stage,
  ) => {
    const second = await stage.connect();
    let hasStopped = false;
    const worker = await stage.work({ careful: (_, { signal }) => aborted(signal).finally(() => hasStopped = true) });
    const task = await stage.create({ job: "careful" });
    await stage.running(task);
    await worker.close(0);
    strictEqual(hasStopped, true);
    strictEqual((await second.get(task.id, OWNER)).status, "PENDING");
    await stage.work({ careful: () => "done" }, { backend: second });
    strictEqual((await stage.finished(task)).status, "COMPLETED");
    deepStrictEqual(await second.outcome(task.id, OWNER), { kind: "value", value: "done" });
  },

  "a result that is returned while the worker stops without grace is stored, and its work is not repeated": async (
    stage,
  ) => {
    const worker = await stage.work({ careful: (_, { signal }) => aborted(signal).catch(() => "done") });
    const task = await stage.create({ job: "careful" });
    await stage.running(task);
    await worker.close(0);
    strictEqual((await stage.finished(task)).status, "COMPLETED");
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: "done" });
  },

  "an attempt that is handed back does not count": async (stage) => {
    const worker = await stage.work({ careful: (_, { signal }) => aborted(signal) });
    const task = await stage.create({ job: "careful", retry: { attempts: 2, delay: 10, maxDelay: 10 } });
    await stage.running(task);
    await worker.close(0);
    let runs = 0;
    await stage.work({
      careful: () => {
        if (++runs === 1) throw new Error("not today");
        return runs;
      },
    });
    strictEqual((await stage.finished(task)).status, "COMPLETED");
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: 2 });
  },

  "a task that workers hand back more than five times fails, and says why": async (stage) => {
    const task = await stage.create({ job: "endless" });
    let runs = 0;
    for (let run = 1; run <= 6; run++) {
      const begun = Promise.withResolvers<void>();
      const worker = await stage.work({
        endless: (_, { signal }) => {
          runs++;
          begun.resolve();
          return aborted(signal);
        },
      });
      await within(begun.promise, () => `Run ${run} of the task does not begin.`);
      await worker.close(0);
      if (run === 6) break;
      const back = `(${run} of at most 5 times)`;
      await stage.until(task, `handed back ${back}`, ({ status, message }) => {
        return status === "PENDING" && message?.includes(back) === true;
      });
    }
    const end = await stage.finished(task);
    deepStrictEqual([end.status, "failure" in end && end.failure], ["FAILED", "fault"]);
    const outcome = await stage.backend.outcome(task.id, OWNER);
    match("message" in outcome ? outcome.message : "", /shut down 6 times before it ended or recorded a further step/);
    await stage.work({ endless: () => runs++, quick: () => "done" });
    await stage.finished(await stage.create({ job: "quick" }));
    strictEqual(runs, 6);
  },

  "a task in steps may live through any number of hand-backs, and repeats no recorded step": async (stage) => {
    const RUNS = 13;
    const parts: number[] = [];
    let runs = 0;
    let begun = Promise.withResolvers<void>();
    const work: Code = async (_, ctx) => {
      runs++;
      for (let part = 1; part <= runs; part += 5) await ctx.step("part", () => parts.push(part));
      begun.resolve();
      return runs === RUNS ? "done" : await aborted(ctx.signal);
    };
    const task = await stage.create({ job: "endless" });
    for (let run = 1; run < RUNS; run++) {
      begun = Promise.withResolvers();
      const worker = await stage.work({ endless: work });
      await within(begun.promise, () => `Run ${run} of the task does not begin.`);
      await worker.close(0);
    }
    await stage.work({ endless: work });
    const end = await stage.finished(task);
    deepStrictEqual([end.status, end.attempt, runs, parts], ["COMPLETED", 1, RUNS, [1, 6, 11]]);
  },

  "code that is still running after its worker has stopped cannot end the task for the next worker": async (stage) => {
    const second = await stage.connect();
    const first = Promise.withResolvers<string>();
    const next = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    const worker = await stage.work({ stubborn: () => first.promise });
    const task = await stage.create({ job: "stubborn" });
    await stage.running(task);
    await worker.close(0);
    const code = () => {
      begun.resolve();
      return next.promise;
    };
    await stage.work({ stubborn: code }, { backend: second });
    await within(begun.promise, () => "The next worker does not get the task.");
    first.resolve("late");
    await first.promise;
    next.resolve("right");
    strictEqual((await stage.finished(task, second)).status, "COMPLETED");
    deepStrictEqual(await second.outcome(task.id, OWNER), { kind: "value", value: "right" });
  },

  "closing a busy backend stops its workers and leaves nothing open": async (stage) => {
    const stopped: string[] = [];
    await stage.work({ careful: (_, { id, signal }) => aborted(signal).finally(() => stopped.push(id)) }, {
      concurrency: 4,
    });
    const tasks = await Promise.all(Array.from({ length: 4 }, () => stage.create({ job: "careful" })));
    await Promise.all(tasks.map((task) => stage.running(task)));
    for (let i = 0; i < 4; i++) await stage.create({ job: "careful" });
    await stage.backend.close();
    deepStrictEqual(stopped.toSorted(), tasks.map(({ id }) => id).toSorted());
  },

  "closing a backend does not wait for the grace of its workers": async (stage) => {
    const worker = await stage.work({ careful: (_, { signal }) => aborted(signal) });
    await stage.running(await stage.create({ job: "careful" }));
    const closed = worker.close(600_000);
    await within(stage.backend.close(), () => "The backend does not close.");
    await closed;
  },

  "a check writes without an event while the backend is open, and fails once it is closed": async (
    stage,
  ) => {
    const before = await stage.create({ job: "waits" });
    const received: string[] = [];
    const stop = stage.backend.watch((event) => event.kind === "change" && received.push(event.task.id));
    const stopDocuments = stage.backend.documents.watch((name) => name !== undefined && received.push(name));
    await Promise.all([stage.backend.check(), stage.backend.check()]);
    await stage.backend.check();
    const after = await stage.create({ job: "waits" });
    await stage.until(after, "stored", () => true);
    deepStrictEqual(received.filter((id) => id !== before.id && id !== after.id), []);
    const { tasks } = await stage.backend.list(OWNER, { limit: 10 });
    deepStrictEqual(tasks.map(({ id }) => id), [after.id, before.id]);
    stop();
    stopDocuments();
    await stage.backend.close();
    await rejects(stage.backend.check(), BackendError);
  },

  "once the store is gone for good, watchers are told to read again, and all calls reject with StoreLost": async (
    stage,
  ) => {
    const { backend } = stage;
    const { id } = await stage.create({ job: "waits" });
    const gap = Promise.withResolvers<void>();
    backend.watch((event) => event.kind === "gap" && gap.resolve());
    if (!await stage.lose()) return;
    await within(gap.promise, () => "No watcher has received a gap.");
    const calls = [
      () => stage.create({ job: "waits" }),
      () => backend.get(id, OWNER),
      () => backend.outcome(id, OWNER),
      () => backend.log(id, OWNER),
      () => backend.cancel(id, OWNER, 0),
      () => backend.answer(id, OWNER, {}),
      () => backend.list(OWNER, { limit: 1 }),
      () => backend.check(),
      () => backend.operator.tasks(),
    ];
    for (const call of calls) await rejects(call, StoreLost);
  },

  "a closed backend says so, refuses all calls, and may be closed again": async (stage) => {
    const task = await stage.create({ job: "waits" });
    strictEqual(stage.backend.closed.aborted, false);
    await stage.backend.close();
    strictEqual(stage.backend.closed.aborted, true);
    await stage.backend.close();
    await rejects(stage.create({ job: "waits" }), BackendError);
    await rejects(stage.backend.get(task.id, OWNER), BackendError);
    await rejects(stage.backend.list(OWNER, { limit: 1 }), BackendError);
  },

  "a task whose worker is killed runs again on another worker": whereWorkersDie(async (stage) => {
    const doomed = await stage.startDoomedWorker("victim");
    const task = await stage.create({ job: "victim", input: { keep: "this" } });
    await stage.running(task);
    await doomed.kill();
    const { attempt } = await stage.backend.get(task.id, OWNER);
    await stage.work({ victim: (input, ctx) => ({ ...Object(input), run: ctx.attempt }) });
    const end = await stage.finished(task);
    // A worker's death is not a failure of the job: the task has one attempt, and still runs again, with the next number:
    // usually 2, and 3 if the machine stalls while the worker still lives.
    const run = attempt + 1;
    deepStrictEqual([end.status, end.attempt], ["COMPLETED", run]);
    deepStrictEqual(await stage.backend.outcome(task.id, OWNER), { kind: "value", value: { keep: "this", run } });
  }),

  "a task that is cancelled after its worker was killed ends as cancelled": whereWorkersDie(async (stage) => {
    const doomed = await stage.startDoomedWorker("victim");
    const task = await stage.create({ job: "victim" });
    await stage.running(task);
    await doomed.kill();
    const end = await stage.backend.cancel(task.id, OWNER, 50);
    strictEqual(end.status, "CANCELLED");
    let runs = 0;
    await stage.work({ victim: () => runs++, quick: () => "done" });
    await stage.finished(await stage.create({ job: "quick" }));
    deepStrictEqual(await stage.backend.get(task.id, OWNER), end);
    strictEqual(runs, 0);
  }),

  "a task whose worker dies three times fails, and says why": whereWorkersDie(async (stage) => {
    const task = await stage.create({ job: "killer" });
    for (let attempt = 1; attempt <= 3; attempt++) {
      const doomed = await stage.startDoomedWorker("killer");
      await stage.until(task, `RUNNING at attempt ${attempt}`, (now) => {
        return now.status === "RUNNING" && now.attempt === attempt;
      });
      await doomed.kill();
    }
    let runs = 0;
    await stage.work({ killer: () => runs++ });
    const end = await stage.finished(task);
    deepStrictEqual([end.status, "failure" in end && end.failure], ["FAILED", "fault"]);
    const outcome = await stage.backend.outcome(task.id, OWNER);
    match("message" in outcome ? outcome.message : "", /died 3 times while it ran this task, or lost it, so it/);
    strictEqual(runs, 0);
  }),

  "a worker that lives keeps a task for longer than its lease, beside another worker": whereWorkersDie(
    async (stage) => {
      const jobs: { readonly [name: string]: Code } = { long: (_, { signal }) => aborted(signal), after: () => "done" };
      for (const backend of [stage.backend, await stage.connect()]) await stage.work(jobs, { backend });
      // A slow machine can make a live worker count as dead.
      for (let tries = 0; tries < 10; tries++) {
        const task = await stage.create({ job: "long" });
        await stage.running(task);
        await stage.finished(await stage.create({ job: "after", delay: 3_000 }));
        const { status, attempt } = await stage.backend.get(task.id, OWNER);
        if (status === "RUNNING" && attempt === 1) return;
      }
      throw new Error("A worker that renews its lease has lost its task ten times.");
    },
  ),

  "deaths of workers count anew after a recorded step, and the third at one place fails the task, which names the step":
    whereWorkersDie(async (stage) => {
      const task = await stage.create({ job: "killer", input: { parts: 2 } });
      // Usually it ends at the fourth death. On a slow machine, more workers may count as dead.
      let now: TaskInfo = task;
      while (!isFinished(now) && now.attempt < 10) {
        const { attempt } = now;
        const doomed = await stage.startDoomedWorker("killer");
        now = await stage.until(task, `finished, or running after attempt ${attempt}`, (next) => {
          return isFinished(next) || next.attempt > attempt && next.message === `attempt ${next.attempt}`;
        });
        await doomed.kill();
      }
      deepStrictEqual([now.status, "failure" in now && now.failure, now.attempt > 3], ["FAILED", "fault", true]);
      const outcome = await stage.backend.outcome(task.id, OWNER);
      match("message" in outcome ? outcome.message : "", /died 3 times .*, each time after the step "part#2", so it/);
    }),
};
