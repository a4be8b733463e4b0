/**
 * The words of protocol revision 2025-11-25, "Tasks": pure functions from task records to the wire.
 *
 * @module
 */
import { resourceUri } from "../../exposure/resources/uris.ts";
import type { ToolResult } from "../../exposure/surface.ts";
import type { Json, TaskInfo } from "../../task.ts";
import { type CommonTask, commonTask, pollInterval, timeToLive } from "../words.ts";

/** The key under which a message names its task. */
const RELATED_TASK = "io.modelcontextprotocol/related-task";

/** Section "Data Types", Task. */
export type WireTask = CommonTask & {
  readonly ttl: number;
  readonly pollInterval: number;
};

/** A task on the wire. Section "Task Status": a tool result with `isError` means `failed` in this revision. */
export function wireTask(task: TaskInfo, now: number = Date.now()): WireTask {
  return { ...commonTask(task), ttl: timeToLive(task, now), pollInterval: pollInterval(task, now) };
}

/** Section "Creating Tasks". */
export function createTaskResult(task: TaskInfo): { task: WireTask; _meta: Record<string, Json> } {
  const uri = resourceUri(task);
  return {
    task: wireTask(task, task.updatedAt),
    _meta: {
      resourceUri: uri,
      ...relatedTask(task.id),
      "io.modelcontextprotocol/model-immediate-response":
        `Started ${task.job} in the background as task ${task.id}. Its result will be at ${uri}.`,
    },
  };
}

/** Section "Associating Task-Related Messages": `tasks/result` names its task, because the result itself does not. */
export function taskResult(result: ToolResult, id: string): ToolResult {
  return { ...result, _meta: { ...result._meta, ...relatedTask(id) } };
}

/** The `_meta` entry that names a task. */
export function relatedTask(id: string): { readonly [key: string]: Json } {
  return { [RELATED_TASK]: { taskId: id } };
}

/** Section "Capabilities": declares only what works, so that no client tries what would be refused. */
export function tasksCapability(cancel: boolean, list: boolean): Record<string, Json> {
  return { ...(list && { list: {} }), ...(cancel && { cancel: {} }), requests: { tools: { call: {} } } };
}
