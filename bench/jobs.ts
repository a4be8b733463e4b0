/** The job that is measured: it does nothing but tell the time. */
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

/** A task of that job. */
export function newTick(): NewTask {
  return {
    id: newTaskId(),
    job: tick.name,
    owner: "bench",
    input: {},
    resultTtl: 600_000,
    retry: { attempts: 1, delay: 0, maxDelay: 0 },
  };
}
