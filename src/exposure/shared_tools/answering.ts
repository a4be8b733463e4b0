/**
 * What `task_answer` knows of the jobs.
 *
 * @module
 */
import type { Tasks } from "../../tasks/tasks.ts";
import type { AnsweringJob, SharedJob, Surface } from "../surface.ts";
import { resultForm } from "../answers/call_result.ts";
import { nextStep, nextWith } from "../answers/next_step.ts";
import { type SharedJobs, sharedNames } from "./jobs.ts";

/** The jobs with the same prefix, by name. */
export type AnsweringJobs = ReadonlyMap<string, AnsweringJob>;

/**
 * The `answering` part of a job's surface. `read` says how a model reads its tasks, such as "call report_status with this
 * token"; `answerWithin` is how long an answer waits for the result, in ms, by default 0.
 */
export function answeringOf(
  registered: SharedJob["registered"],
  { form, answerWithin = 0, read }: Pick<AnsweringJob, "form"> & {
    readonly answerWithin?: number;
    readonly read: (task: { readonly id: string; readonly job: string }) => string;
  },
): Pick<Surface, "answering"> {
  const next: AnsweringJob["next"] = (task, asking) => nextWith(task, read(task), asking);
  return { answering: { registered, prefix: "", form, answerWithin, next } };
}

/** The answering jobs among those with shared tools. */
export function answeringShared(jobs: SharedJobs, tasks: Tasks): readonly AnsweringJob[] {
  return [...jobs.values()].map(({ registered, prefix, shortest }) => ({
    registered,
    prefix,
    form: resultForm(registered, sharedNames(prefix).status),
    answerWithin: 0,
    next: (task, asking) => nextStep(task, prefix, Math.min(shortest, tasks.patienceFor(task)), asking),
  }));
}
