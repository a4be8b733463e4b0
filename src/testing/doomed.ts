/**
 * The job of a worker that will be killed.
 *
 * @module
 */
import { defineJob, type Job } from "../job.ts";
import { aborted, CONFIRM } from "./stage.ts";

/**
 * A job that ends only if it is cancelled; one named `limited` runs one task at once. With `step` in its input it first logs a
 * line and records a step; with `parts` it records one step in each attempt, until there are so many, and reports the number
 * of its attempt; with `ask` it asks, and with `park` it asks and sleeps for an hour, and so is parked. With `still`, the first
 * attempt freezes its process for so many ms, and then returns at once.
 */
export function doomedJob(name: string): Job {
  return defineJob({
    name,
    input: { type: "object" },
    ...(name === "limited" && { concurrency: 1 }),
    run: async ({ step, parts, ask, park, still }, ctx) => {
      if (still && ctx.attempt === 1) return freeze(Number(still));
      if (step) await ctx.log("debug", "logged before the worker died");
      if (step) await ctx.step("first", () => "recorded before the worker died");
      for (let part = 1; part <= Math.min(ctx.attempt, Number(parts)); part++) await ctx.step("part", () => part);
      if (parts) await ctx.progress(0, `attempt ${ctx.attempt}`);
      if (park) await Promise.all([ctx.elicit(CONFIRM), ctx.sleep("an hour", 3_600_000)]);
      if (ask) await ctx.elicit(CONFIRM);
      await aborted(ctx.signal);
    },
  });
}

/** Lets nothing in this process go on for so many ms, as if it was stopped. */
export function freeze(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
