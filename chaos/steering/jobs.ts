/** The jobs of the steering run. Each writes to stdout when a run begins and ends. */
import { z } from "zod";
import { defineJob, type Job } from "../../src/job.ts";
import type { JobContext } from "../../src/steps/context.ts";
import { pause } from "../../src/waiting.ts";

/** How many tasks of the limited job may run at once. */
export const MAX_AT_ONCE = 2;

/** How often a task of the scheduled job is due, in ms, and the name of its schedule. */
export const EVERY_MS = 1_000;
export const SCHEDULE = "each_second";

/** The owner of all tasks. */
export const OWNER = "chaos";

/** What a run writes, as a line of JSON. */
export interface RunEvent {
  readonly kind: "begin" | "end";
  readonly job: string;
  readonly task: string;
  /** By the machine's clock, in ms since the epoch. */
  readonly at: number;
}

const input = z.strictObject({ ms: z.number() });

async function run({ ms }: { readonly ms: number }, { id: task, job }: JobContext): Promise<string> {
  const write = (kind: RunEvent["kind"]) =>
    console.log(JSON.stringify({ kind, job, task, at: Date.now() } satisfies RunEvent));
  write("begin");
  await pause(ms);
  write("end");
  return task;
}

/** At most two of its tasks run at once. */
export const limited: Job = defineJob({ name: "limited", input, run, concurrency: MAX_AT_ONCE });

/** It is paused and resumed. */
export const held: Job = defineJob({ name: "held", input, run });

/** Its tasks are those of a schedule. */
export const timed: Job = defineJob({ name: "timed", input, run });
