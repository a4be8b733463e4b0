/**
 * The URIs of resources: those of results, their parts and logs, and what the URIs of a template have in common.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import type { SurfaceTemplate } from "../surface.ts";

/** Stands for the task id in the URI of a template. */
export const TASK_ID = "{task_id}";

/** The URI of the resource with the result of a task. */
export function resourceUri(task: Pick<TaskInfo, "id" | "job">): string {
  return `mcp://results/${task.job}/${task.id}`;
}

/** The URI of a part of a result, from 1; 0 is the value, whose URI is that of the result. */
export function partUri(uri: string, part: number): string {
  return part === 0 ? uri : `${uri}/${part}`;
}

/** The URI of the resource with the log of a task. */
export function logUri(task: Pick<TaskInfo, "id" | "job">): string {
  return `${resourceUri(task)}/log`;
}

/** The prefix of the URIs of a template's resources, before the task id or another placeholder. */
export function prefixOf({ uriTemplate }: Pick<SurfaceTemplate, "uriTemplate">): string {
  return uriTemplate.split("{")[0] ?? uriTemplate;
}

/** The part of a task that the URIs of a template's resources name, behind the task id; absent where they may name any. */
export function partOf({ uriTemplate }: Pick<SurfaceTemplate, "uriTemplate">): string | undefined {
  return uriTemplate.split(`${TASK_ID}/`)[1];
}
