/**
 * The words of the extension `io.modelcontextprotocol/tasks` of protocol revision 2026-07-28: pure functions from task
 * records to the wire.
 *
 * @module
 */
import { JobFault } from "../../errors.ts";
import { type Asking, describeQuestions } from "../../exposure/answers/asking.ts";
import { callResult } from "../../exposure/answers/call_result.ts";
import { resourceUri } from "../../exposure/resources/uris.ts";
import type { ResultForm, ToolResult } from "../../exposure/surface.ts";
import { isObject } from "../../json.ts";
import { cutToFit } from "../../text.ts";
import { type Answer, type Json, openQuestions, type Outcome, type Question, type TaskInfo } from "../../task.ts";
import { answerOf, elicitation, questionsToElicit } from "../questions.ts";
import { type CommonTask, commonTask, pollInterval, timeToLive } from "../words.ts";

const EXTENSION = "io.modelcontextprotocol/tasks";

/** Section "Capability Negotiation": the value is an empty object, for clients and servers alike. */
export const CAPABILITY: { readonly [key: string]: Json } = { extensions: { [EXTENSION]: {} } };

/** Section "Tasks". */
export type WireTask = CommonTask & {
  readonly ttlMs: number;
  readonly pollIntervalMs: number;
};

/** Section "Tasks", `DetailedTask`: with what its status calls for. */
export type DetailedTask = WireTask & {
  readonly inputRequests?: { readonly [key: string]: InputRequest };
  readonly result?: ToolResult & { readonly resultType: "complete" };
  readonly error?: { readonly code: number; readonly message: string };
};

/** A question, as a request that the client answers through `tasks/update`. */
export interface InputRequest {
  readonly method: "elicitation/create";
  readonly params: { readonly [key: string]: Json };
}

/**
 * A task on the wire, without questions, result or error. Section "Task Status": a tool error is a result; only a JSON-RPC
 * error means `failed`.
 */
export function wireTask(task: TaskInfo, now: number = Date.now()): WireTask {
  const isResult = task.status === "FAILED" && task.failure === "tool_error";
  return {
    ...commonTask(task, isResult ? "completed" : undefined),
    ttlMs: timeToLive(task, now),
    pollIntervalMs: pollInterval(task, now),
  };
}

/** Section "Task Creation": flat, and without questions, result or error. */
export function createTaskResult(task: TaskInfo): WireTask & { resultType: "task"; _meta: Record<string, Json> } {
  return { resultType: "task", ...wireTask(task, task.updatedAt), _meta: { resourceUri: resourceUri(task) } };
}

/**
 * Section "Task Polling": a task with its questions, its result or its error. A client gets only the questions that it can
 * ask (Multi Round-Trip Requests: only what the client declares is sent); its status message describes them all.
 */
export function detailedTask(
  task: TaskInfo,
  outcome: Outcome | undefined,
  { form, asking }: { readonly form?: ResultForm; readonly asking: Asking },
): DetailedTask {
  const wire = wireTask(describeQuestions(task, asking));
  if (wire.status === "input_required") {
    return { ...wire, inputRequests: inputRequests(questionsToElicit(task, asking).askable) };
  }
  if (outcome === undefined || wire.status === "cancelled") return wire;
  try {
    return { ...wire, result: { resultType: "complete", ...callResult(task, outcome, form) } };
  } catch (error) {
    if (!(error instanceof JobFault)) throw error;
    return { ...wire, error: { code: error.code, message: cutToFit(error.message) } };
  }
}

/**
 * Multi Round-Trip Requests, `InputRequiredResult`: the questions of a call, and the state that the client has to send back
 * with the answers.
 */
export function inputRequired(
  questions: readonly Question[],
  requestState?: string,
): { resultType: "input_required"; inputRequests: Record<string, InputRequest>; requestState?: string } {
  return {
    resultType: "input_required",
    inputRequests: inputRequests(questions),
    ...(requestState !== undefined && { requestState }),
  };
}

/** Questions, each under its own key. */
function inputRequests(questions: readonly Question[]): { readonly [key: string]: InputRequest } {
  return Object.fromEntries(questions.map((question) => [question.key, {
    method: "elicitation/create" as const,
    params: elicitation(question),
  }]));
}

/** Whether client capabilities, however they were declared, include the extension. */
export function declaresTasks(capabilities: unknown): boolean {
  return isObject(capabilities) && isObject(capabilities.extensions) && isObject(capabilities.extensions[EXTENSION]);
}

/** Section "Task Update Requests": the answers to open questions. Anything else that a client sends is ignored. */
export function answersTo(
  task: TaskInfo,
  responses: { readonly [key: string]: unknown },
): { readonly [key: string]: Answer } {
  return Object.fromEntries(
    openQuestions(task).filter(({ key }) => Object.hasOwn(responses, key)).map((
      { key },
    ) => [key, answerOf(responses[key], key)]),
  );
}
