/**
 * For writers of a backend, and for code that hands tasks to one itself: the contract, the task record, and the parts
 * that the backends of this package are made of. `@mcp-jobs/mcp-jobs/testing` has the tests that every backend passes.
 *
 * @module
 */
export * from "./src/backend.ts";
export type { BullMqOptions } from "./src/backends/bullmq/options.ts";
export type { DenoKvOptions } from "./src/backends/kv/mod.ts";
export type { PostgresOptions, PostgresPlace } from "./src/backends/postgres/mod.ts";
export { awaitEnd } from "./src/backends/shared/await_end.ts";
export { credible, credibleDue } from "./src/backends/shared/clock.ts";
export type { QuestionStore } from "./src/backends/shared/running/open_questions.ts";
export type { QuestionState } from "./src/questions/open.ts";
export { dueAtOf, type Ended, type TaskRecord, urgencyOf, type WaitsFor } from "./src/backends/shared/record.ts";
export * as record from "./src/backends/shared/record.ts";
export { idTaken } from "./src/backends/shared/refusals.ts";
export { Runner } from "./src/backends/shared/running/runner.ts";
export type {
  ClaimedTask,
  ClaimName,
  ClaimResult,
  FailedClaim,
  RunnerStore,
} from "./src/backends/shared/running/runner_store.ts";
export { StoreBackend } from "./src/backends/shared/store/backend.ts";
export { Hub, type HubListener } from "./src/backends/shared/store/hub.ts";
export { OrderedHub } from "./src/backends/shared/store/ordered_hub.ts";
export type {
  DeadWorker,
  Entry,
  KeyCondition,
  LeasedWorker,
  LimitedTasks,
  OperatingStore,
  Queue,
  ReadyTasks,
  Store,
  Worker,
  WorkerLease,
} from "./src/backends/shared/store/store.ts";
export type {
  FoundTasks,
  JobPauses,
  OperatedStore,
  Purged,
  PurgedPage,
  SubmittedTask,
  TaskCounts,
  TaskQuery,
} from "./src/operator/primitives.ts";
export * from "./src/errors.ts";
export { type ErrorPlace, type OnError, reporterOf } from "./src/log/on_error.ts";
export { aheadOf, isTaskId, newTaskId } from "./src/ids.ts";
export { MAX_VALUE_BYTES, toText } from "./src/json.ts";
export * from "./src/task.ts";
export { newestLines, type NewLines } from "./src/task_log/newest_lines.ts";
export { createKeyed, type KeyedTasks } from "./src/backends/shared/store/keys.ts";
export { ID_LENGTH } from "./src/contract/task_key.ts";
export { capacityOf, EMPTY_WINDOW, moreOf, type RateWindow, withClaim } from "./src/backends/shared/job_limits.ts";
export { isParked, NO_TASKS, oldestOf } from "./src/operator/counts.ts";
export { matches } from "./src/operator/filter.ts";
export { operatorOf } from "./src/operator/operator.ts";
export { PAUSED, Pauses } from "./src/operator/pauses.ts";
export { countCreated, countEnded, measureStart } from "./src/telemetry/metrics.ts";
