/**
 * The result of a task as a tool returns it, and the URI of the resource that holds it.
 *
 * @module
 */
import { JobFault } from "../../errors.ts";
import { isObject } from "../../json.ts";
import type { Outcome, TaskInfo } from "../../task.ts";
import type { SurfaceTemplate, ToolResult } from "../surface.ts";

/** What the URIs of a template's resources begin with; the task id follows. */
export function prefixOf({ uriTemplate }: Pick<SurfaceTemplate, "uriTemplate">): string {
  return uriTemplate.replace("{task_id}", "");
}

/** Where the result of a task can be read as a resource. */
export function resourceUri(task: Pick<TaskInfo, "id" | "job">): string {
  return `mcp://results/${task.job}/${task.id}`;
}

/**
 * What the call of a tool returns once its task has ended: the one place where an outcome becomes a `CallToolResult`.
 * Throws `JobFault` for a fault. It may be larger than a message: `fitted` is for that.
 */
export function callResult(task: TaskInfo, outcome: Outcome): ToolResult {
  const _meta = { resourceUri: resourceUri(task) };
  if (outcome.kind === "fault") throw new JobFault(outcome.message, outcome.code);
  if (outcome.kind === "tool_error") {
    return { content: [{ type: "text", text: outcome.message }], isError: true, _meta };
  }
  const { value } = outcome;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return { content: [{ type: "text", text }], ...(isObject(value) && { structuredContent: value }), _meta };
}
