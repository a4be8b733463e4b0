/**
 * The tools for the tasks of all jobs: `task_status`, `task_cancel`, `task_list` and, if a model may answer the questions of
 * one, `task_answer`. For clients that do not support tasks.
 *
 * @module
 */
import type { Tasks } from "../../tasks/tasks.ts";
import type { AnsweringJob, SharedJob, SurfaceTool } from "../surface.ts";
import { answerTool } from "./answer.ts";
import { answeringShared } from "./answering.ts";
import { cancelTool } from "./cancel.ts";
import { sharedJobs } from "./jobs.ts";
import { listTool } from "./list.ts";
import { statusTool } from "./status.ts";

/** The shared tools of all jobs, once for each prefix: of those in `answering`, only `task_answer`. */
export function sharedTools(
  shared: readonly SharedJob[],
  answering: readonly AnsweringJob[],
  tasks: Tasks,
): readonly SurfaceTool[] {
  const prefixes = new Set([...shared, ...answering].map(({ prefix }) => prefix));
  return [...prefixes].flatMap((prefix) => {
    const group = shared.filter((one) => one.prefix === prefix);
    const jobs = sharedJobs(group);
    const answered = [...answering.filter((one) => one.prefix === prefix), ...answeringShared(jobs, tasks)];
    const named = new Map(answered.map((one) => [one.registered.job.name, one]));
    const answer = answered.some(({ registered }) => registered.answers === "model")
      ? [answerTool(prefix, named, tasks)]
      : [];
    const cancel = group.some(({ registered }) => registered.cancel) ? [cancelTool(prefix, jobs, tasks)] : [];
    if (group.length === 0) return answer;
    return [statusTool(prefix, jobs, tasks), ...answer, ...cancel, listTool(prefix, jobs, tasks)];
  });
}
