/**
 * Background jobs as MCP tools: register a job once, and every MCP client can start it, follow its progress, fetch its
 * result and cancel it, with one durable task behind all of that.
 *
 * @example
 * ```ts
 * import { AsyncToolServer, defineJob, MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * import { z } from "zod";
 *
 * const generateReport = defineJob({
 *   name: "generate_report",
 *   description: "Generate a revenue report for one user",
 *   input: z.object({ user_id: z.string() }),
 *   run: async ({ user_id }, ctx) => {
 *     await ctx.progress(0.25, "loading orders");
 *     return { user_id, revenue: 42000, items: 17 };
 *   },
 * });
 *
 * await using server = new AsyncToolServer({ name: "reports", version: "1.0.0", backend: new MemoryBackend() });
 * server.registerAsyncTool(generateReport, { resultTtl: 24 * 3_600_000 });
 * // await server.run({ worker: { concurrency: 8 } });
 * ```
 *
 * It exports the classes, functions and errors that a program uses, and the types that it names for values of its own.
 * `./strategy` and `./backend` have the types that inference gives: options of strategies and backends, and what a job
 * consists of.
 *
 * @module
 */
export { BullMqBackend } from "./src/backends/bullmq/mod.ts";
export { DenoKvBackend } from "./src/backends/kv/mod.ts";
export { MemoryBackend } from "./src/backends/memory/mod.ts";
export { PostgresBackend } from "./src/backends/postgres/mod.ts";
export type { Authenticate, Identity } from "./src/auth/authenticate.ts";
export { jwtAuthenticator, type JwtOptions } from "./src/auth/jwt.ts";
export type { JwtClaims } from "./src/auth/jwt_claims.ts";
export type { Backend, LogLine } from "./src/backend.ts";
export {
  type ClientOptions,
  type ClientStartOptions,
  createClient,
  type StartedTask,
  type TaskClient,
} from "./src/client/client.ts";
export { audio, type Content, content, file, image, link, text } from "./src/content/content.ts";
export {
  BackendError,
  DefinitionError,
  HoldLost,
  InvalidInput,
  JobFault,
  JobsError,
  TaskCancelled,
  TaskFinished,
  TaskNotFound,
  TaskParked,
  TimedOut,
  ToolError,
  WorkerStopping,
} from "./src/errors.ts";
export type { OnError } from "./src/log/on_error.ts";
export { AdaptiveExposureStrategy } from "./src/exposure/adaptive.ts";
export { BlockingExposureStrategy } from "./src/exposure/blocking.ts";
export { OperationResourceStrategy } from "./src/exposure/operation_resource.ts";
export { PollingExposureStrategy } from "./src/exposure/polling.ts";
export { SingleToolExposureStrategy } from "./src/exposure/single_tool.ts";
export type { ExposureStrategy } from "./src/exposure/surface.ts";
export { defineJob, implement, type Job } from "./src/job.ts";
export type { JobContext } from "./src/steps/context.ts";
export type { Infer } from "./src/schema/schema.ts";
export type { ScheduleOptions } from "./src/schedules/declare.ts";
export { AsyncToolServer } from "./src/server/server.ts";
export type { RegisterOptions, RunOptions, ServerOptions } from "./src/server/options.ts";
export { type ContentPart, isFinished, type Json, type TaskInfo, TaskStatus } from "./src/task.ts";
export type { Audit, AuditEvent } from "./src/tasks/audit.ts";
export type { FetchInfo } from "./src/tasks/audit_source.ts";
export type { Limits } from "./src/tasks/limits.ts";
export { createWorker, type Worker, type WorkerOptions } from "./src/worker.ts";
