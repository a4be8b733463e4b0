/**
 * The resource templates of a job.
 *
 * @module
 */
import type { RegisteredJob } from "../../registry.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import type { SurfaceTemplate } from "../surface.ts";
import { latestTemplate } from "./latest.ts";
import { logTemplate } from "./log.ts";
import { resultTemplate } from "./results.ts";

/** The resource templates of a job: the results of its tasks, their logs, and the newest result. */
export function taskTemplates(registered: RegisteredJob, tasks: Tasks): readonly SurfaceTemplate[] {
  return [resultTemplate, logTemplate, latestTemplate].map((template) => template(registered, tasks));
}
