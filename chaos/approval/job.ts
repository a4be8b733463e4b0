/** A job of three steps with a question in the middle, which notes on stdout what it does. */
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { HoldLost } from "../../src/errors.ts";
import { defineJob, type Job } from "../../src/job.ts";
import type { JobContext } from "../../src/steps/context.ts";
import type { Note } from "./notes.ts";
import { questionOf } from "./question.ts";

/** The points at which the code of a task can be made to wait for a while. */
const POINTS = ["running", "in a step", "resumed", "nowhere"] as const;

/** What such a task is to do. */
const APPROVAL_INPUT = z.strictObject({
  number: z.number(),
  /** Where it stays. */
  point: z.enum(POINTS).default("nowhere"),
  /** For how long it stays, in ms. */
  ms: z.number().default(0),
});

/** Defines it. */
export function approval(name: string, parkAfter: number): Job {
  return defineJob({
    name,
    description: "Take three steps, and ask after the first",
    input: APPROVAL_INPUT,
    parkAfter,
    run: async ({ number, point, ms }, ctx) => {
      const note = (what: Note["what"], name: string, mark?: string) =>
        console.log(JSON.stringify({ task: ctx.id, number, at: Date.now(), what, name, mark } satisfies Note));
      const stand = async (at: typeof POINTS[number]) => {
        note("at", at);
        if (at === point) await pause(ms, undefined, { signal: ctx.signal });
      };
      const step = async (ctx: JobContext, name: string, inside?: typeof POINTS[number]) => {
        const mark = await ctx.step(name, async () => {
          const mark = crypto.randomUUID();
          note("ran", name, mark);
          if (inside) await stand(inside);
          return mark;
        });
        if (!(ctx.signal.reason instanceof HoldLost)) note("has", name, mark);
        return mark;
      };
      await stand("running");
      const first = await step(ctx, "first", "in a step");
      const { action } = await ctx.elicit({ message: questionOf(number), schema: z.object({ yes: z.boolean() }) });
      await stand("resumed");
      const marks = [first, await step(ctx, "second"), await step(ctx, "third")];
      note("at", "finishing");
      return { number, run: crypto.randomUUID(), action, marks };
    },
  });
}
