/**
 * The newest result of a job as a resource, for whoever starts its tasks on a schedule.
 *
 * @module
 */
import type { RegisteredJob } from "../../registry.ts";
import type { TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { resourceUri } from "./call_result.ts";
import { ResultPartNotFound } from "./pages.ts";
import { readResult } from "./results.ts";
import type { SurfaceTemplate } from "../surface.ts";

/** How many pages of 100 tasks are searched at most. Each counts as a read of the owner. */
const MAX_PAGES = 10;

/**
 * The resource with the newest result of a job, `mcp://results/<job>/latest`: that of the owner's newest
 * COMPLETED task. It is read as the result of that task is, with its parts and pages.
 */
export function latestTemplate(registered: RegisteredJob, tasks: Tasks): SurfaceTemplate {
  const { name, title, job } = registered;
  /** The searches that are under way, by owner: reads at the same moment share one. */
  const searches = new Map<string, ReturnType<typeof newest>>();
  const search = (owner: string) => {
    const found = searches.get(owner) ?? newest(tasks, job.name, owner).finally(() => searches.delete(owner));
    searches.set(owner, found);
    return found;
  };
  return {
    name: `${job.name} latest result`,
    title: title && `${title}: latest result`,
    description: `The result of the newest ${name} task that has completed`,
    uriTemplate: resourceUri({ job: job.name, id: "latest" }),
    mimeType: "application/json",
    read: async (place, owner) => {
      const { id, all } = place.id === "" ? await search(owner) : { all: true };
      if (id !== undefined) return await readResult(registered, tasks, { ...place, id }, owner);
      const among = all ? "" : ` among your ${(100 * MAX_PAGES).toLocaleString("en")} newest tasks`;
      throw new ResultPartNotFound(`No task of ${job.name} has completed${among}.`);
    },
  };
}

/** The owner's newest task of a job that is completed; without one, whether all of their tasks were searched. */
async function newest(
  tasks: Tasks,
  job: string,
  owner: string,
): Promise<{ readonly id?: string; readonly all: boolean }> {
  const matches = (task: TaskInfo) => task.job === job && task.status === "COMPLETED";
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const found = await tasks.list(owner, cursor);
    const task = found.tasks.find(matches);
    cursor = found.nextCursor;
    if (task || cursor === undefined) return { id: task?.id, all: true };
  }
  return { all: false };
}
