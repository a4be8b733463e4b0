/**
 * Cases: the reason of a job's signal says why its code should stop; and what becomes of the tasks of a worker that froze.
 *
 * @module
 */
import { ok, strictEqual } from "node:assert";
import { HoldLost, TaskCancelled, TimedOut, WorkerStopping } from "../../errors.ts";
import { pause } from "../../waiting.ts";
import { freeze } from "../doomed.ts";
import { aborted, type Cases, type Code, OWNER, type Stage, whereWorkersDie, within } from "../stage.ts";

/** How long the process freezes to lose its task, in ms: each time longer, until it exceeds the lease. */
const STILL_MS = [1_000, 2_000, 4_000, 8_000, 16_000];

/** The same where another process freezes, to which nobody else can be told in between. */
const FROZEN_MS = [2_000, 4_000, 8_000, 16_000];

/** A task may be RUNNING a moment before its code begins; code that need not begin never does. */
const NOT_BEGUN = () => "The code of the task has not begun.";

/** Code that stops when its signal aborts, when it has begun, and the reason of the signal. */
function listener(): { readonly code: Code; readonly begun: Promise<void>; readonly reason: Promise<unknown> } {
  const [begun, reason] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()];
  const code: Code = (_, { signal }) => {
    begun.resolve();
    return aborted(signal).finally(() => reason.resolve(signal.reason));
  };
  return { code, begun: begun.promise, reason: reason.promise };
}

async function check(reason: Promise<unknown>, kind: typeof HoldLost | typeof TimedOut): Promise<void> {
  const why = await within(reason, () => "The signal has not aborted.");
  ok(why instanceof kind, `The signal aborts for the reason ${why}, and not with ${kind.name}.`);
}

export const signalling: Cases = {
  "the reason of the signal is TaskCancelled when the task is cancelled": async (stage) => {
    const { code, begun, reason } = listener();
    await stage.work({ careful: code });
    const task = await stage.create({ job: "careful" });
    await within(begun, NOT_BEGUN);
    await stage.backend.cancel(task.id, OWNER, 20_000);
    await check(reason, TaskCancelled);
  },

  "the reason of the signal is WorkerStopping when the worker stops": async (stage) => {
    const { code, begun, reason } = listener();
    const worker = await stage.work({ careful: code });
    await stage.create({ job: "careful" });
    await within(begun, NOT_BEGUN);
    await worker.close(0);
    await check(reason, WorkerStopping);
  },

  "the reason of the signal is WorkerStopping when the backend is closed": async (stage) => {
    const { code, begun, reason } = listener();
    await stage.work({ careful: code });
    await stage.create({ job: "careful" });
    await within(begun, NOT_BEGUN);
    await stage.backend.close();
    await check(reason, WorkerStopping);
  },

  "the reason of the signal is TimedOut when the attempt takes too long": async (stage) => {
    const { code, reason } = listener();
    await stage.work({ slow: code });
    const task = await stage.create({ job: "slow", timeout: 50 });
    strictEqual((await stage.finished(task)).status, "FAILED");
    await check(reason, TimedOut);
  },

  "the reason of the signal is HoldLost when another worker has taken the task over while this process was frozen":
    whereWorkersDie(async (stage) => {
      const reason = Promise.withResolvers<unknown>();
      await stage.work({
        still: async (_, { signal }) => {
          for (const ms of STILL_MS) {
            freeze(ms);
            await pause(ms, signal);
            if (signal.aborted) break;
          }
          reason.resolve(signal.reason);
        },
      });
      const task = await stage.create({ job: "still" });
      await stage.startDoomedWorker("still");
      await check(reason.promise, HoldLost);
      // On a slow machine the other worker may lose it as well, and a watcher need not hear of every attempt.
      await stage.until(task, "taken over", ({ status, attempt }) => status === "RUNNING" && attempt > 1);
    }),

  "a worker that froze cannot end the task that another one has taken over, and what it claims later outlives it":
    whereWorkersDie(async (stage) => {
      for (const ms of FROZEN_MS) if (await freezesAndDies(stage, ms)) return;
      throw new Error("No other worker has taken over the task of a worker that froze, in four tries.");
    }),
};

/** A worker freezes, goes on, claims another task, and is killed. Resolves with whether it has lost its first task meanwhile. */
async function freezesAndDies(stage: Stage, ms: number): Promise<boolean> {
  const job = `frozen_${ms}`;
  const free = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  // With one slot, this worker takes over the task that freezes the other one, and no more.
  await stage.work({
    [job]: async ({ first, still }, ctx) => {
      if (first) return await free.promise;
      if (!still) return "done";
      const attempt = await ctx.step("begin", () => ctx.attempt); // Deaths of workers count anew after it.
      taken.resolve();
      await over.promise;
      return attempt;
    },
  }, { concurrency: 1 });
  await stage.running(await stage.create({ job, input: { first: true } }));
  const doomed = await stage.startDoomedWorker(job);
  const task = await stage.create({ job, input: { still: ms } });
  await stage.running(task);
  free.resolve();
  const isTaken = await Promise.race([taken.promise.then(() => true), stage.finished(task).then(() => false)]);
  if (!isTaken) return false;
  // Once the other one runs this task, it has returned from the first one.
  const next = await stage.create({ job, input: { step: true } });
  await stage.until(next, "run by the worker that froze", ({ logged }) => logged !== undefined);
  await doomed.kill();
  over.resolve();
  ok(Number(await stage.valueOf(task)) > 1, "The worker that froze has ended a task that another one had taken over.");
  await stage.valueOf(next);
  return true;
}
