/**
 * A client for code that does not use MCP: a web handler, a script or another job starts tasks and waits for their results.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import type { Content } from "../content/content.ts";
import { BackendError, JobFault, JobsError, TaskCancelled, ToolError } from "../errors.ts";
import { checkJob, type Job } from "../job.ts";
import type { OnError } from "../log/on_error.ts";
import { callback, checkOptions, owner as validOwner, required, type Rules, text, wholeNumber } from "../options.ts";
import { ToolRegistry } from "../registry.ts";
import type { Stored } from "../steps/context.ts";
import type { Accepted, Schema } from "../schema/schema.ts";
import type { FinishedTask, TaskInfo } from "../task.ts";
import { Tasks } from "../tasks/tasks.ts";
import { LONGEST_WAIT_MS, onAbort } from "../waiting.ts";
import { BACKEND } from "../worker.ts";

/** The options of {@linkcode TaskClient.start}. */
export interface ClientStartOptions {
  /** Starts of the same job with the same key receive the task of the first one, for as long as its result is kept. */
  readonly key?: string;
  /** When the first attempt may begin; a time in the past means at once. Default: as the job's `delay` says. */
  readonly startAt?: Date;
  /** 0 is the most urgent; larger numbers run later. Default: as the job says. */
  readonly priority?: number;
  /** How long the result is kept after the task has finished, in ms. Default: 3,600,000, one hour. */
  readonly resultTtl?: number;
}

/** What {@linkcode createClient} takes. */
export interface ClientOptions {
  /** The principal that the tasks belong to: 1 to 128 characters, such as `user:ann`. */
  readonly owner: string;
  /** Receives errors that no caller receives. Default: a line of JSON on stderr. */
  readonly onError?: OnError;
}

/** A started task, which remembers the type of its result. */
export type StartedTask<Output> = TaskInfo & {
  /** Exists at compile time only. */
  readonly "~output"?: Output;
};

/** Starts, reads, awaits and cancels the tasks of one owner. Disposing of it closes its subscription, not the backend. */
export interface TaskClient extends Disposable {
  /**
   * Stores a task of this job and queues it, after validating the input as a tool call does. Rejects with `InvalidInput` or
   * `InvalidValue`, and with `ToolError` if the key function of the job fails, with nothing stored; and with `BackendError`
   * while the store fails.
   */
  start<In extends Schema, Output>(
    job: Job<never, Output, In>,
    input: Accepted<In>,
    options?: ClientStartOptions,
  ): Promise<StartedTask<Output extends Content<infer Data> ? Stored<Data> : Output>>;
  /** Reads a task. Rejects with `TaskNotFound`, or with `TaskExpired` once its result is deleted. */
  get(id: string): Promise<TaskInfo>;
  /**
   * Waits for a task, and resolves with its result: of `content(…)` its `structuredContent`, or `null`. Rejects with
   * `ToolError` or `JobFault` if it has failed, with `TaskCancelled`, as `get`, with the reason of `signal`, and with
   * `BackendError` if the backend is closed meanwhile. Aborting the signal ends the waiting, not the task.
   */
  wait<Output>(task: StartedTask<Output> | string, signal?: AbortSignal): Promise<Output>;
  /**
   * Cancels a task, and waits up to 2 s until its code has stopped. The `work` of the task says whether it has. Rejects as
   * `get`, and with `TaskFinished`.
   */
  cancel(id: string): Promise<FinishedTask>;
}

const CLIENT: Rules<ClientOptions> = {
  owner: required(validOwner),
  onError: callback,
};

const START: Rules<ClientStartOptions> = {
  // An empty one, such as that of a variable that is not set, would make one task of all starts.
  key: { expected: "a text that is not empty", fits: (value) => typeof value === "string" && value !== "" },
  // A later one could be due, by the clock of the store, after the latest time that a `Date` can have.
  startAt: {
    expected: `a valid Date, in the year ${new Date(LONGEST_WAIT_MS).getUTCFullYear()} at the latest`,
    fits: (value) => value instanceof Date && value.getTime() <= LONGEST_WAIT_MS,
  },
  priority: wholeNumber(0),
  resultTtl: wholeNumber(1),
};

const ID = { id: required(text) };

const WAIT = { ...ID, signal: { expected: "an AbortSignal", fits: (value: unknown) => value instanceof AbortSignal } };

/** Limits protect a server from its clients; the owner's own code needs none. */
const UNLIMITED = { openTasks: Infinity, creationsPerMinute: Infinity, readsPerMinute: Infinity, ttl: Infinity };

/**
 * Creates a client for the tasks of one owner. Throws `DefinitionError` if an option is unknown or cannot be used.
 *
 * @example
 * ```ts
 * import { createClient, createWorker, defineJob, MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * import { z } from "zod";
 * const add = defineJob({
 *   name: "add",
 *   input: z.object({ a: z.number(), b: z.number().default(1) }),
 *   run: ({ a, b }) => a + b,
 * });
 * await using backend = new MemoryBackend();
 * await using worker = createWorker(backend, [add]);
 *
 * using client = createClient(backend, { owner: "user:ann" });
 * const task = await client.start(add, { a: 2 });
 * const sum: number = await client.wait(task);
 * console.assert(sum === 3);
 * ```
 */
export function createClient(backend: Backend, options: ClientOptions): TaskClient {
  checkOptions("createClient", { backend }, { backend: BACKEND });
  checkOptions("createClient", options, CLIENT);
  const { owner, onError } = options;
  const tasks = new Tasks(backend, Date.now, { limits: UNLIMITED, onError });
  const stopWaiting = () => tasks.stopWaiting(new BackendError("Cannot wait: the backend is closed."));
  const forget = onAbort(backend.closed, stopWaiting);
  return {
    start: async (job, input, options = {}) => {
      checkJob("start", job);
      checkOptions("start", options, START);
      const { key: idempotencyKey, startAt, priority, resultTtl } = options;
      const delay = startAt && Math.max(0, startAt.getTime() - Date.now());
      const registered = new ToolRegistry().register(job, { delay, priority, resultTtl });
      return await tasks.start(registered, input, owner, { idempotencyKey });
    },
    get: async (id) => {
      checkOptions("get", { id }, ID);
      return await tasks.explain(await tasks.get(id, owner));
    },
    wait: async <Output>(task: StartedTask<Output> | string, signal?: AbortSignal) => {
      const id = typeof task === "object" && task !== null && "id" in task ? task.id : task;
      checkOptions("wait", { id, signal }, WAIT);
      return await resultOf(tasks, await tasks.wait(id, owner, signal)) as Output;
    },
    cancel: async (id) => {
      checkOptions("cancel", { id }, ID);
      return await tasks.cancel(id, owner);
    },
    [Symbol.dispose]: () => {
      forget();
      tasks.stopWaiting(new JobsError("The client is closed."));
      tasks[Symbol.dispose]();
    },
  };
}

async function resultOf(tasks: Tasks, task: FinishedTask): Promise<unknown> {
  if (task.status === "CANCELLED") throw new TaskCancelled();
  const outcome = await tasks.outcome(task);
  if (outcome.kind === "value") return outcome.value;
  throw outcome.kind === "fault" ? new JobFault(outcome.message, outcome.code) : new ToolError(outcome.message);
}
