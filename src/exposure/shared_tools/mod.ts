/**
 * The tools for the tasks of all jobs: `task_status`, `task_cancel`, `task_list` and, if a model may answer the questions of
 * one, `task_answer`. Clients that do not support tasks use them for the tasks that their calls have started.
 *
 * @module
 */
import type { Tasks } from "../../tasks/tasks.ts";
import type { SharedJob, SurfaceTool } from "../surface.ts";
import { answerTool } from "./answer.ts";
import { cancelTool } from "./cancel.ts";
import { sharedJobs } from "./jobs.ts";
import { listTool } from "./list.ts";
import { statusTool } from "./status.ts";

/** The shared tools of all jobs, once for each prefix. */
export function sharedTools(shared: readonly SharedJob[], tasks: Tasks): readonly SurfaceTool[] {
  return [...Map.groupBy(shared, ({ prefix }) => prefix)].flatMap(([prefix, group]) => {
    const jobs = sharedJobs(group);
    const cancel = group.some(({ registered }) => registered.cancel) ? [cancelTool(prefix, jobs, tasks)] : [];
    const answer = group.some(({ registered }) => registered.answers === "model")
      ? [answerTool(prefix, jobs, tasks)]
      : [];
    return [statusTool(prefix, jobs, tasks), ...answer, ...cancel, listTool(prefix, jobs, tasks)];
  });
}
