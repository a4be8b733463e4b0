/**
 * The job of a worker that will be killed.
 *
 * @module
 */
import { defineJob, type Job } from "../job.ts";
import { CONFIRM } from "./stage.ts";

/** A job that never ends. If its input has `ask`, it asks a question first. */
export function doomedJob(name: string): Job {
  return defineJob({
    name,
    input: { type: "object" },
    run: async ({ ask }, ctx) => {
      if (ask) await ctx.elicit(CONFIRM);
      await new Promise(() => {});
    },
  });
}
