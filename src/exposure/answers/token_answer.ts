/**
 * What all tools that take the token of a task have in common.
 *
 * @module
 */
import { TaskFinished, TaskNotFound, TaskNotReady } from "../../errors.ts";
import type { JsonSchema } from "../../schema/json_schema.ts";
import { wellFormed } from "../../json.ts";
import { cutToFit, fits } from "../../text.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import type { Asking } from "./asking.ts";
import { resourceUri } from "./call_result.ts";
import { beginningOf, tooLargeNote } from "./fitted.ts";
import { formatResponse, type PollingResponse } from "./response.ts";
import type { ToolResult } from "../surface.ts";

/** The input schema of a tool that takes a token, and `more` optional properties. */
export function tokenSchema(more: { readonly [name: string]: JsonSchema } = {}): JsonSchema {
  return {
    type: "object",
    properties: { token: { type: "string", description: "The token that the call returned" }, ...more },
    required: ["token"],
    additionalProperties: false,
  };
}

/** The response for a task, with its outcome if it has finished; `asking` is that of `formatResponse`. */
export async function readResponse(task: TaskInfo, tasks: Tasks, asking?: Asking): Promise<PollingResponse> {
  if (!isFinished(task)) return formatResponse(task, undefined, asking);
  return sendable(task, formatResponse(task, await tasks.outcome(task)));
}

/** The longest error, in bytes, that fits together with the rest of its response. */
const MAX_ERROR_BYTES = 730_000;

/** Returns a response unchanged if it fits into a message. Otherwise cuts its result to the beginning and a link. */
function sendable(task: TaskInfo, response: PollingResponse): PollingResponse {
  if (fits(response)) return response;
  const { result, error, ...rest } = response;
  if (error !== undefined) return { ...rest, error: cutToFit(error, MAX_ERROR_BYTES) };
  const resource = resourceUri(task);
  return { ...rest, message: beginningOf(JSON.stringify(result), tooLargeNote(resource)), resource };
}

/** Turns a response into the result of a tool, as text and as data. A response with an `error` is an error result. */
export function toToolResult(response: PollingResponse): ToolResult {
  const text = JSON.stringify(wellFormed(response));
  return {
    content: [{ type: "text", text }],
    structuredContent: JSON.parse(text),
    ...(response.error !== undefined && { isError: true }),
  };
}

/** Calls `use`, and turns errors that the model can correct, such as an unknown token, into error results. */
export async function explainErrors(token: string, use: () => Promise<ToolResult>): Promise<ToolResult> {
  try {
    return await use();
  } catch (error) {
    if (error instanceof TaskNotFound) return { content: [{ type: "text", text: error.message }], isError: true };
    if (error instanceof TaskFinished || error instanceof TaskNotReady) {
      return toToolResult({ token, status: error.status, error: error.message });
    }
    throw error;
  }
}
