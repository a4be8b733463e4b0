/**
 * The result of a task as a tool returns it, and the URI of its resource.
 *
 * @module
 */
import { JobFault } from "../../errors.ts";
import { isObject } from "../../json.ts";
import type { Outcome, TaskInfo } from "../../task.ts";
import type { SurfaceTemplate, ToolResult } from "../surface.ts";

/** The prefix of the URIs of a template's resources, before the task id. */
export function prefixOf({ uriTemplate }: Pick<SurfaceTemplate, "uriTemplate">): string {
  return uriTemplate.replace("{task_id}", "");
}

/** The URI of the resource with the result of a task. */
export function resourceUri(task: Pick<TaskInfo, "id" | "job">): string {
  return `mcp://results/${task.job}/${task.id}`;
}

/**
 * The result of a tool whose task has ended: the only place where an outcome becomes a `CallToolResult`. Throws `JobFault`
 * for a fault. The result may be too large for a message; `fitted` cuts it.
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
