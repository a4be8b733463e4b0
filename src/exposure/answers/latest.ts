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

/** How many pages of tasks are searched at most. */
const MOST_PAGES = 10;

/**
 * The resource with the newest result of a job, `mcp://results/<job>/latest`: that of the owner's task that was created last,
 * of those that are COMPLETED. It is read as the result of that task is, with its parts and pages.
 */
export function latestTemplate(registered: RegisteredJob, tasks: Tasks): SurfaceTemplate {
  const { name, title, job } = registered;
  return {
    name: `${job.name} latest result`,
    title: title && `${title}: latest result`,
    description: `The result of the newest ${name} task that has completed`,
    uriTemplate: resourceUri({ job: job.name, id: "latest" }),
    mimeType: "application/json",
    read: async (place, owner) => {
      const id = place.id === "" ? await newest(tasks, job.name, owner) : undefined;
      if (id !== undefined) return await readResult(registered, tasks, { ...place, id }, owner);
      throw new ResultPartNotFound(`No task of ${job.name} has completed.`);
    },
  };
}

/** The owner's newest task of a job that is completed, among their 1,000 newest tasks. */
async function newest(tasks: Tasks, job: string, owner: string): Promise<string | undefined> {
  const matches = (task: TaskInfo) => task.job === job && task.status === "COMPLETED";
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const found = await tasks.list(owner, cursor);
    const task = found.tasks.find(matches);
    if (task) return task.id;
    cursor = found.nextCursor;
    if (cursor === undefined) return undefined;
  }
}
