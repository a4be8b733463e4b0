/**
 * The polling response and its schema.
 *
 * @module
 */
import { wellFormed } from "../../json.ts";
import type { RegisteredJob } from "../../registry.ts";
import type { JsonSchema } from "../../schema/json_schema.ts";
import { relocateSchema } from "../../schema/relocate.ts";
import {
  isFinished,
  type Json,
  openQuestions,
  type Outcome,
  type Question,
  type TaskInfo,
  TaskStatus,
} from "../../task.ts";
import { percentOf } from "../../text.ts";
import type { ContentBlock, ToolResult } from "../surface.ts";
import { type Asking, describeQuestions } from "./asking.ts";
import { textBlock } from "./content_blocks.ts";

/** The response of every polling tool. */
export interface PollingResponse {
  /** The task id, which the other tools take. */
  readonly token: string;
  /** The status of the task. */
  readonly status: TaskStatus;
  /** How much is done, from 0 to 1 with two decimals, while the task is not finished. */
  readonly progress?: number;
  /** What the job is doing or asks, or how the task ended. */
  readonly message?: string;
  /**
   * The open questions, if a model may answer them: `key`, `message`, and the `schema` of the answer or the `url` that the
   * person is to open; `expires_at`, as ISO 8601, if there is a time limit.
   */
  readonly questions?: readonly { readonly [key: string]: Json }[];
  /** The result of a COMPLETED task. */
  readonly result?: Json;
  /** The URI of a result that is too large to be here; `message` then has its beginning. */
  readonly resource?: string;
  /** How many pages such a result has. */
  readonly pages?: number;
  /** Why there is no result. */
  readonly error?: string;
  /** Which tool to call next, and how. */
  readonly next?: string;
  /** There are no other fields. This makes the response assignable to JSON in TypeScript. */
  readonly [key: string]: Json | undefined;
}

/**
 * The response for a task, and for its outcome if that was read. `asking` says how its questions can be answered through
 * the client; by default they cannot.
 *
 * @example
 * ```ts
 * import { formatResponse } from "@mcp-jobs/mcp-jobs/strategy";
 * import { deepStrictEqual } from "node:assert";
 *
 * const now = Date.now();
 * const response = formatResponse({
 *   id: "0199c1f4-7a51-7000-8d0b-2f6a3c4e5b6d", job: "report", owner: "local", status: "RUNNING",
 *   revision: 3, attempt: 1, progress: 0.6, createdAt: now, updatedAt: now, resultTtl: 3_600_000,
 * });
 * deepStrictEqual(response, { token: "0199c1f4-7a51-7000-8d0b-2f6a3c4e5b6d", status: "RUNNING", progress: 0.6 });
 * ```
 */
export function formatResponse(task: TaskInfo, outcome?: Outcome, asking?: Asking): PollingResponse {
  const { id: token, status, progress, message } = describeQuestions(task, asking);
  if (outcome?.kind === "value") {
    const { value, content } = outcome;
    return content !== undefined && value === null ? { token, status } : { token, status, result: value };
  }
  if (outcome) return { token, status, error: outcome.message };
  return {
    token,
    status,
    ...(progress !== undefined && !isFinished(task) && { progress: percentOf(progress) / 100 }),
    ...(message !== undefined && { message }),
    ...(asking?.tool !== undefined && status === "INPUT_REQUIRED" && { questions: openQuestions(task).map(toAsked) }),
  };
}

function toAsked(question: Question): { readonly [key: string]: Json } {
  const { key, message, url, expiresAt } = question;
  const { $schema: _, ...schema } = question.schema; // The dialect does not help a model.
  return {
    key,
    message,
    ...(url === undefined ? { schema } : { url }),
    ...(expiresAt !== undefined && { expires_at: new Date(expiresAt).toISOString() }),
  };
}

/** Turns a response into the result of a tool, as text and as data. A response with an `error` is an error result. */
export function toToolResult(response: PollingResponse, more: readonly ContentBlock[] = []): ToolResult {
  const text = JSON.stringify(wellFormed(response));
  return {
    content: [textBlock(text), ...more],
    structuredContent: JSON.parse(text),
    ...(response.error !== undefined && { isError: true }),
  };
}

const STATUS: JsonSchema = { type: "string", enum: Object.values(TaskStatus) };

/** The schema of a response's `next`. */
export const NEXT_SCHEMA: JsonSchema = { type: "string", description: "Which tool to call next, and with what" };

const QUESTIONS_SCHEMA: JsonSchema = {
  type: "array",
  items: {
    type: "object",
    properties: {
      key: { type: "string" },
      message: { type: "string" },
      schema: { type: "object", description: "The schema of the answer" },
      url: { type: "string", description: "The page that the person is to open" },
      expires_at: { type: "string", description: "Until when it can be answered" },
    },
    required: ["key", "message"],
  },
  description: "What the job asks",
};

/** The property for questions, if a model may answer those of one of these jobs. */
export function questionsSchema(jobs: readonly Pick<RegisteredJob, "answers">[]): JsonSchema {
  return jobs.some(({ answers }) => answers === "model") ? { questions: QUESTIONS_SCHEMA } : {};
}

/** The properties with the state of a task; `message` describes the property of that name. */
function taskProperties(message: string): { readonly [name: string]: JsonSchema } {
  return {
    token: { type: "string", description: "The task's token" },
    status: STATUS,
    progress: { type: "number", minimum: 0, maximum: 1, description: "How much is done" },
    message: { type: "string", description: message },
  };
}

/** The schema of {@linkcode PollingResponse}, with the job's own schema for `result`, if it has one, and `more` properties. */
export function responseSchema(result?: JsonSchema, more: JsonSchema = {}): JsonSchema {
  return {
    type: "object",
    properties: {
      ...taskProperties("What is done now, or how it ended"),
      result: result
        ? relocateSchema(result, "#/properties/result")
        : { description: "The result of a COMPLETED task" },
      resource: { type: "string", description: "The URI of a result that is too large to be here" },
      pages: { type: "integer", description: "How many pages it has" },
      error: { type: "string", description: "Why there is no result" },
      ...more,
    },
    required: ["token", "status"],
  };
}

/** More properties of a response with a page of a result. */
export const PAGE_PROPERTIES: JsonSchema = {
  page: { type: "integer", description: "Which page this is" },
  text: { type: "string", description: "The text of this page" },
  next: NEXT_SCHEMA,
};

/**
 * The output schema of a tool that returns either the result of its job, with the given schema, or a handle: a
 * {@linkcode PollingResponse} whose `next` says how to get the result, because it is not there yet or is too large, with
 * `more` properties.
 */
export function resultOrHandle(result: JsonSchema, more: JsonSchema = {}): JsonSchema {
  const handle = {
    type: "object",
    description: "Not the result, but how to get it: see `next`",
    properties: {
      ...taskProperties("What is done now, or the beginning of a large result"),
      ...more,
      next: NEXT_SCHEMA,
    },
    required: ["token", "status", "next"],
  };
  return { type: "object", anyOf: [relocateSchema(result, "#/anyOf/0"), handle] };
}
