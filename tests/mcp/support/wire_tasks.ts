/**
 * Checks every task on the wire against the official schemas of both revisions.
 *
 * @module
 */
import {
  CreateTaskResultV1Schema,
  GetTaskResultV1Schema,
  ListTasksResultV1Schema,
  TaskStatusNotificationV1Schema,
} from "@modelcontextprotocol/ext-tasks/core/v1";
import {
  CreateTaskResultV2Schema,
  GetTaskResultV2Schema,
  TaskStatusNotificationV2Schema,
} from "@modelcontextprotocol/ext-tasks/core/v2";
import type { Message } from "./wire_message.ts";

/** Throws if a message has a task that does not fit the schema of its revision. */
export function checkTasks(message: Message): void {
  const { method, result } = message;
  if (method === "notifications/tasks") TaskStatusNotificationV2Schema.parse(message);
  else if (method === "notifications/tasks/status") TaskStatusNotificationV1Schema.parse(message);
  else if (result?.resultType === "task") CreateTaskResultV2Schema.parse(result);
  else if (result?.taskId && result.resultType) GetTaskResultV2Schema.parse(result);
  else if (result?.task) CreateTaskResultV1Schema.parse(result);
  else if (result?.taskId) GetTaskResultV1Schema.parse(result);
  else if (result?.tasks) ListTasksResultV1Schema.parse(result);
}
