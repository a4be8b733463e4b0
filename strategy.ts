/**
 * For writers of an exposure strategy: the interface, the tasks that it works on, and the parts that the strategies of
 * this package are made of.
 *
 * @example
 * ```ts
 * import {
 *   answerWithResult,
 *   type ExposureStrategy,
 *   type RegisteredJob,
 *   type Surface,
 *   type Tasks,
 *   waitingTool,
 * } from "@mcp-jobs/mcp-jobs/strategy";
 *
 * // One tool for each job, whose call waits for the result. A call may also return a task.
 * class WaitingStrategy implements ExposureStrategy {
 *   expose(registered: RegisteredJob, tasks: Tasks): Surface {
 *     const tool = waitingTool(registered, tasks, async (task, ctx) => {
 *       const ended = await tasks.finish(task, ctx.signal, ctx.onChange);
 *       return await answerWithResult(ended, tasks);
 *     });
 *     return { tools: [tool], templates: [] };
 *   }
 * }
 * ```
 *
 * @module
 */
export * from "./src/errors.ts";
export { type Asking, awaitsModel, isStuck, whenNobodyCanAnswer } from "./src/exposure/answers/asking.ts";
export { callResult, resultForm } from "./src/exposure/answers/call_result.ts";
export { nextStep, nextWith, waiting } from "./src/exposure/answers/next_step.ts";
export {
  formatResponse,
  NEXT_SCHEMA,
  PAGE_PROPERTIES,
  type PollingResponse,
  questionsSchema,
  responseSchema,
  resultOrHandle,
  toToolResult,
} from "./src/exposure/answers/response.ts";
export { ResultPartNotFound } from "./src/exposure/answers/pages.ts";
export { latestTemplate } from "./src/exposure/resources/latest.ts";
export { logTemplate } from "./src/exposure/resources/log.ts";
export { resultTemplate } from "./src/exposure/resources/results.ts";
export { taskTemplates } from "./src/exposure/resources/templates.ts";
export { logUri, resourceUri } from "./src/exposure/resources/uris.ts";
export {
  type AnsweringJob,
  type CallAnswer,
  CallCancelled,
  type CallClient,
  type CallContext,
  CallerGone,
  CallTimedOut,
  type ContentBlock,
  type ExposureStrategy,
  type ListClient,
  type LostCall,
  type ResourceContent,
  type ResourcePlace,
  type ResultForm,
  type SharedJob,
  type Surface,
  type SurfaceTemplate,
  type SurfaceTool,
  type ToolResult,
} from "./src/exposure/surface.ts";
export type { AdaptiveOptions } from "./src/exposure/adaptive.ts";
export type { BlockingOptions } from "./src/exposure/blocking.ts";
export type { OperationResourceOptions } from "./src/exposure/operation_resource.ts";
export type { PollingOptions } from "./src/exposure/polling.ts";
export type { SingleToolOptions } from "./src/exposure/single_tool.ts";
export { askingOf, lacksTasks, sharedNames } from "./src/exposure/shared_tools/jobs.ts";
export { answeringOf } from "./src/exposure/shared_tools/answering.ts";
export { taskOfJob } from "./src/exposure/task_of_job.ts";
export {
  endedAnswer,
  explainErrors,
  PAGE_SCHEMA,
  tokenCall,
  tokenSchema,
} from "./src/exposure/answers/token_answer.ts";
export {
  sameStatusAs,
  sameUntilAsked,
  waitForSeconds,
  type WaitLimits,
  waitSecondsSchema,
  withNote,
} from "./src/exposure/wait_seconds.ts";
export { answerWithResult, nativeTasks, waitingTool } from "./src/exposure/waiting_tool.ts";
export { startOptions, waitForCall, waitWhile } from "./src/exposure/waiting_calls.ts";
export type { Job, JobAnnotations, JobDefinition, JobPolicy, Returned, UniqueOptions } from "./src/job.ts";
export type { AnswerTo, Elicit, FormQuestion, UrlQuestion } from "./src/questions/elicit.ts";
export type { JobContext, StepContext, Stored } from "./src/steps/context.ts";
export { checkOptions, flag, numberFrom, type Rule, type Rules, text, wholeNumber } from "./src/options.ts";
export { withoutAsked } from "./src/questions/input_fields.ts";
export { type RegisteredJob, type RegistryOptions, type TaskSupport, ToolRegistry } from "./src/registry.ts";
export { type PerCallField, withPerCall } from "./src/schema/per_call.ts";
export type { JsonSchema } from "./src/schema/json_schema.ts";
export { relocateSchema } from "./src/schema/relocate.ts";
export { type Accepted, type Schema, type StandardResult, type StandardSchema, validate } from "./src/schema/schema.ts";
export * from "./src/task.ts";
export type { Caller } from "./src/tasks/callers/caller.ts";
export type { CallOrigin } from "./src/tasks/callers/offers.ts";
export type { WaitOptions } from "./src/tasks/feed.ts";
export type { StartOptions } from "./src/tasks/starting/starting.ts";
export type { Tasks } from "./src/tasks/tasks.ts";
