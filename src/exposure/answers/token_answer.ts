/**
 * What the tools that take the token of a task have in common.
 *
 * @module
 */
import { TaskFinished, TaskNotFound, TaskNotReady } from "../../errors.ts";
import type { JsonSchema } from "../../schema/json_schema.ts";
import { wellFormed } from "../../json.ts";
import { cutToFit, fits } from "../../text.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { resourceUri } from "./call_result.ts";
import { headOf, tooLarge } from "./fitted.ts";
import { formatResponse, type PollingResponse } from "./response.ts";
import type { ToolResult } from "../surface.ts";

/** The input schema of a tool that takes a token, and `more` that a call need not give. */
export function tokenSchema(more: { readonly [name: string]: JsonSchema } = {}): JsonSchema {
  return {
    type: "object",
    properties: { token: { type: "string", description: "The token that the call returned" }, ...more },
    required: ["token"],
    additionalProperties: false,
  };
}

/** Says how a task stands, and, once it is finished, with what it ended. */
export async function responseOf(task: TaskInfo, tasks: Tasks): Promise<PollingResponse> {
  return isFinished(task) ? sendable(task, formatResponse(task, await tasks.outcome(task))) : formatResponse(task);
}

/** How many bytes an error may have: with the rest of its response, and its beginning once more as text, it fits. */
const MAX_ERROR_BYTES = 730_000;

/** A response as it is, if a message can carry it. Else the beginning of its result, and the way to the whole. */
function sendable(task: TaskInfo, response: PollingResponse): PollingResponse {
  if (fits(response)) return response;
  const { result, error, ...rest } = response;
  if (error !== undefined) return { ...rest, error: cutToFit(error, MAX_ERROR_BYTES) };
  const resource = resourceUri(task);
  return { ...rest, message: headOf(JSON.stringify(result), tooLarge(resource)), resource };
}

/** Answers with a response as text and as data. One with an `error` is an error result. */
export function answer(response: PollingResponse): ToolResult {
  const text = JSON.stringify(wellFormed(response));
  return {
    content: [{ type: "text", text }],
    structuredContent: JSON.parse(text),
    ...(response.error !== undefined && { isError: true }),
  };
}

/** Turns what the model can mend, such as an unknown token, from an error of the protocol into an error result. */
export async function explained(token: string, use: () => Promise<ToolResult>): Promise<ToolResult> {
  try {
    return await use();
  } catch (error) {
    if (error instanceof TaskNotFound) return { content: [{ type: "text", text: error.message }], isError: true };
    if (error instanceof TaskFinished || error instanceof TaskNotReady) {
      return answer({ token, status: error.status, error: error.message });
    }
    throw error;
  }
}
