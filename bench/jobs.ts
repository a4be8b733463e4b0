/** The jobs that are measured: one does nothing but tell the time, one does so in steps, and one asks. */
import type { NewTask } from "../backend.ts";
import { defineJob } from "../mod.ts";
import { newTaskId } from "../src/ids.ts";

/** The time in ms, finer than `Date.now()`, and the same in every process of the machine. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Returns when it was run. */
export const tick = defineJob({
  name: "tick",
  input: { type: "object" },
  run: () => ({ ranAt: now() }),
});

/** Does as `tick`, in three steps. */
export const threeSteps = defineJob({
  name: "three_steps",
  input: { type: "object" },
  run: async (_, ctx) => {
    for (const name of ["first", "second", "third"]) await ctx.step(name, () => ({ ranAt: now() }));
    return { ranAt: now() };
  },
});

const NOTHING = { type: "object" };

/** Asks, and is parked at once. With its answer it does as `tick`. */
export const approval = defineJob({
  name: "approval",
  input: { type: "object" },
  parkAfter: 0,
  run: async (_, ctx) => {
    await ctx.elicit({ message: "Approve?", schema: NOTHING });
    return { ranAt: now() };
  },
});

/** A task of such a job. */
export function newTask(job: string): NewTask {
  return {
    id: newTaskId(),
    job,
    owner: "bench",
    input: {},
    resultTtl: 600_000,
    retry: { attempts: 1, delay: 0, maxDelay: 0 },
  };
}

/** A task of `tick`. */
export const newTick = (): NewTask => newTask(tick.name);
