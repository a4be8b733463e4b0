/**
 * The three tools that serve the tasks of all jobs together: `task_status`, `task_cancel` and `task_list`. Through them a
 * client that knows no tasks reads what its calls have begun.
 *
 * @module
 */
import type { Tasks } from "../../tasks/tasks.ts";
import type { SharedJob, SurfaceTool } from "../surface.ts";
import { cancelTool } from "./cancel.ts";
import { listTool } from "./list.ts";
import { statusTool } from "./status.ts";

/** Makes the shared tools of all jobs, once for each prefix. */
export function sharedTools(shared: readonly SharedJob[], tasks: Tasks): readonly SurfaceTool[] {
  return [...Map.groupBy(shared, ({ prefix }) => prefix)].flatMap(([prefix, group]) => {
    const jobs = new Map(group.map((one) => [one.registered.job.name, one]));
    const cancel = group.some(({ registered }) => registered.cancel) ? [cancelTool(prefix, jobs, tasks)] : [];
    return [statusTool(prefix, jobs, tasks), ...cancel, listTool(prefix, jobs, tasks)];
  });
}
