/**
 * The results of a job as resources.
 *
 * @module
 */
import { JobFault } from "../../errors.ts";
import type { RegisteredJob } from "../../registry.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { taskOfJob } from "../task_of_job.ts";
import { resourceUri } from "./call_result.ts";
import type { SurfaceTemplate } from "../surface.ts";

/** The resource template of a job's results. */
export function resultTemplate({ name, title, job }: RegisteredJob, tasks: Tasks): SurfaceTemplate {
  return {
    name: `${job.name} results`,
    title: title && `${title}: results`,
    description: `The result of a finished ${name} task. A large one has pages: add ?page=2, and so on`,
    uriTemplate: resourceUri({ job: job.name, id: "{task_id}" }),
    mimeType: "application/json",
    read: (id, owner) => readResult(tasks, job.name, id, owner),
  };
}

async function readResult(tasks: Tasks, job: string, id: string, owner: string): Promise<string> {
  const task = await taskOfJob(tasks, job, id, owner);
  const outcome = await tasks.outcome(task);
  if (outcome.kind === "value") return JSON.stringify(outcome.value);
  throw new JobFault(`Task ${id} has no result, it is ${task.status}: ${outcome.message}`);
}
