/** The job of the chaos run: takes a moment, fails when it is told to, and marks each run with a number of its own. */
import { z } from "zod";
import { ToolError } from "../src/errors.ts";
import { defineJob } from "../src/job.ts";
import { approval } from "./approval/job.ts";

/** After how long a silent worker counts as dead, in ms. */
export const LEASE_MS = 3_000;

/** The tool that returns a handle early, and after how long, in ms. */
export const STEP_OR_HANDLE = "step_or_handle";
export const HANDLE_AFTER_MS = 50;

/** The beginning of the message of a task that fails on purpose. */
const PLANNED_FAILURE = "failed as planned";

/** A job of three steps and a question. It is parked about as often as its answer comes in time. */
export const approve = approval("approve", 20);

export const step = defineJob({
  name: "step",
  description: "Take one step",
  input: z.strictObject({ number: z.number(), ms: z.number(), fail: z.boolean() }),
  run: async ({ number, ms, fail }, { signal }) => {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      }, { once: true });
    });
    if (fail) throw new ToolError(`${PLANNED_FAILURE}: task ${number}`);
    return { number, run: crypto.randomUUID() };
  },
});
