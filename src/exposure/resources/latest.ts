/**
 * The newest result of a job as a resource, for whoever starts its tasks on a schedule.
 *
 * @module
 */
import type { RegisteredJob } from "../../registry.ts";
import type { TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { unlessAborted } from "../../waiting.ts";
import { ResultPartNotFound } from "../answers/pages.ts";
import type { SurfaceTemplate } from "../surface.ts";
import { readResult } from "./results.ts";
import { resourceUri } from "./uris.ts";

/** How many pages of 100 tasks are searched at most. Each counts as a read of the owner. */
const MAX_PAGES = 10;

/**
 * The resource with the newest result of a job, `mcp://results/<job>/latest`: that of the owner's newest
 * COMPLETED task. It is read as the result of that task is, with its parts and pages.
 */
export function latestTemplate(registered: RegisteredJob, tasks: Tasks): SurfaceTemplate {
  const { name, title, job } = registered;
  /** By owner: reads at the same moment share a search. */
  const searches = new Map<string, Search>();
  /** A search goes on as long as one of its readers is there. */
  const search = async (owner: string, signal?: AbortSignal) => {
    const search = searches.get(owner) ?? begin(tasks, job.name, owner);
    searches.set(owner, search);
    search.readers++;
    try {
      return await (signal ? unlessAborted(search.found, signal) : search.found);
    } finally {
      if (--search.readers === 0) {
        searches.delete(owner);
        search.abandoned.abort();
      }
    }
  };
  return {
    name: `${job.name} latest result`,
    title: title && `${title}: latest result`,
    description: `The result of the newest ${name} task that has completed`,
    // With a placeholder, because PHP's SDK refuses a list that has a template without any.
    uriTemplate: `${resourceUri({ job: job.name, id: "latest" })}{?page}`,
    mimeType: "application/json",
    knownOnly: true,
    read: async (place, owner, signal) => {
      const { id, all } = place.id === "" ? await search(owner, signal) : { all: true };
      if (id !== undefined) return await readResult(registered, tasks, { ...place, id }, owner);
      const among = all ? "" : ` among your ${(100 * MAX_PAGES).toLocaleString("en")} newest tasks`;
      throw new ResultPartNotFound(`No task of ${job.name} has completed${among}.`);
    },
  };
}

/** The task that was found; without one, whether all of the owner's tasks were searched. */
type Found = { readonly id?: string; readonly all: boolean };

/** A search that is under way. */
interface Search {
  readonly found: Promise<Found>;
  readonly abandoned: AbortController;
  readers: number;
}

function begin(tasks: Tasks, job: string, owner: string): Search {
  const abandoned = new AbortController();
  return { found: newest(tasks, job, owner, abandoned.signal), abandoned, readers: 0 };
}

/** Searches for the owner's newest task of a job that is completed, until the signal aborts. */
async function newest(tasks: Tasks, job: string, owner: string, signal: AbortSignal): Promise<Found> {
  const matches = (task: TaskInfo) => task.job === job && task.status === "COMPLETED";
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    signal.throwIfAborted();
    const found = await tasks.list(owner, cursor);
    const task = found.tasks.find(matches);
    cursor = found.nextCursor;
    if (task || cursor === undefined) return { id: task?.id, all: true };
  }
  return { all: false };
}
