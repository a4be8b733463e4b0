/**
 * Every error that mcp-jobs throws, under one base.
 *
 * @module
 */
import type { TaskStatus } from "./task.ts";
import { quote } from "./text.ts";

/** The base of all errors of this package. The texts say what failed, on what, and what to do next. */
export class JobsError extends Error {
  /** Keeps `cause`, and takes the class name as `name`, for logs. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/**
 * This owner has no task with this id. The error is the same whether another owner has it or no one does.
 *
 * @example
 * ```ts
 * import { createClient, MemoryBackend, TaskNotFound } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * using client = createClient(backend, { owner: "user:ann" });
 * const found = await client.get("01928a6e-0000-7000-8000-000000000000").catch((error) => {
 *   if (error instanceof TaskNotFound) return undefined;
 *   throw error;
 * });
 * console.assert(found === undefined);
 * ```
 */
export class TaskNotFound extends JobsError {
  /** Names the id that was not found. */
  constructor(readonly id: string, message?: string) {
    const advice = "Check that you have copied all of it. Tasks are deleted some time after they end.";
    super(message ?? `Cannot find task ${quote(id)}: the id is unknown. ${advice}`);
  }
}

/** The task has finished, and its result was deleted after its time to live. Only its owner gets this error. */
export class TaskExpired extends TaskNotFound {
  /** Names the id of the expired task. */
  constructor(id: string) {
    super(id, `Cannot read task ${quote(id)}: its result has expired. Start a new task.`);
  }
}

/** The task has not finished: its result was read, or it was to be repeated. */
export class TaskNotReady extends JobsError {
  /** Names the task, its status, and what cannot be done with it. */
  constructor(readonly id: string, readonly status: TaskStatus, what = "read the result of") {
    super(`Cannot ${what} task ${quote(id)}: it is ${status}. Ask for its status until it is finished.`);
  }
}

/**
 * The task has finished, so it can no longer be cancelled.
 *
 * @example
 * ```ts
 * import { type TaskClient, TaskFinished } from "@mcp-jobs/mcp-jobs";
 * // Resolves with how the task ended, whether it was cancelled now or had finished.
 * export const stop = (client: TaskClient, id: string): Promise<string> =>
 *   client.cancel(id).then(({ status }) => status, (error) => {
 *     if (error instanceof TaskFinished) return error.status;
 *     throw error;
 *   });
 * ```
 */
export class TaskFinished extends JobsError {
  /** Names the task and how it ended. */
  constructor(readonly id: string, readonly status: TaskStatus) {
    super(`Cannot cancel task ${quote(id)}: it is already ${status}.`);
  }
}

/** The caller has reached one of the server's limits; the request had no effect. */
export class LimitExceeded extends JobsError {
  /** Names the limit and says what to do; `retryAfter` says after how many ms to try again, if waiting helps. */
  constructor(readonly limit: string, message: string, readonly retryAfter?: number) {
    super(message);
  }
}

/** The key of a new task's `unless` has a text, so the task was not stored. A server then reads the key. */
export class KeyInUse extends JobsError {
  /** Names the key. */
  constructor(readonly key: string) {
    super(`Cannot store a task: the key ${quote(key)} has a text. Read it, or store the task without \`unless\`.`);
  }
}

/** The server cannot answer now, although the request is valid, for example because it is shutting down. */
export class Unavailable extends JobsError {}

/** One mistake in an input: where it is, and what is wrong. */
export interface InputIssue {
  /** The path of the field, such as `a.b[0]`; empty for the whole input. */
  readonly path: string;
  /** What is wrong there. */
  readonly message: string;
}

/**
 * A value does not fit its schema. An input that does not fit is never queued.
 *
 * @example
 * ```ts
 * import { createClient, defineJob, InvalidInput, MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * import { z } from "zod";
 * const add = defineJob({ name: "add", input: z.object({ a: z.number() }), run: ({ a }) => a + 1 });
 * await using backend = new MemoryBackend();
 * using client = createClient(backend, { owner: "user:ann" });
 * const form: unknown = { a: "two" }; // what somebody has sent
 * const refused = await client.start(add, form as { a: number }).catch((error) => error);
 * console.assert(refused instanceof InvalidInput && refused.issues[0]?.path === "a");
 * ```
 */
export class InvalidInput extends JobsError {
  /** `what` names the value, such as "input for echo"; `rest` is appended, for mistakes that are not listed. */
  constructor(readonly what: string, readonly issues: readonly InputIssue[], readonly rest?: string) {
    const list = issues.map(({ path, message }) => path ? `${path}: ${message}` : message);
    super(`Invalid ${what}: ${[...list, ...rest === undefined ? [] : [rest]].join("; ")}`);
  }
}

/**
 * A definition cannot be used: a duplicate or invalid name, a schema without JSON Schema, an unknown or wrong option.
 *
 * @example
 * ```ts
 * import { DefinitionError, defineJob } from "@mcp-jobs/mcp-jobs";
 * try {
 *   defineJob({ name: "two words", input: { type: "object" }, run: () => null });
 * } catch (error) {
 *   console.assert(error instanceof DefinitionError);
 * }
 * ```
 */
export class DefinitionError extends JobsError {}

/** A value cannot be stored, because it is not JSON or too large. */
export class InvalidValue extends JobsError {}

/**
 * The queue or its store failed. `cause` is the original error. The same call may succeed later, unless this is `StoreLost`.
 *
 * @example
 * ```ts
 * import { BackendError, type Job, type TaskClient } from "@mcp-jobs/mcp-jobs";
 * // A web handler that asks its caller to come back while the store is away.
 * export const handle = (client: TaskClient, job: Job): Promise<Response> =>
 *   client.start(job, {}).then((task) => Response.json(task), (error) => {
 *     if (error instanceof BackendError) return new Response("Try again later.", { status: 503 });
 *     throw error;
 *   });
 * ```
 */
export class BackendError extends JobsError {
  /** Says what failed, and keeps `cause`. */
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
  }
}

/** The store is gone for good: its file was deleted, or replaced by another. Trying again does not help. */
export class StoreLost extends BackendError {}

/**
 * The reason of a job's `signal` when its task was cancelled. What the code returns or throws from then on is dropped.
 *
 * @example
 * ```ts
 * import { defineJob, TaskCancelled } from "@mcp-jobs/mcp-jobs";
 * export const train = defineJob({
 *   name: "train",
 *   input: { type: "object", properties: { checkpoint: { type: "string" } }, required: ["checkpoint"] },
 *   run: async ({ checkpoint }, { signal }) => {
 *     try {
 *       await fetch("https://trainer.example.com/", { signal });
 *     } finally {
 *       // After any other reason the task runs again, and continues from the checkpoint.
 *       if (signal.reason instanceof TaskCancelled) await Deno.remove(String(checkpoint));
 *     }
 *   },
 * });
 * ```
 */
export class TaskCancelled extends JobsError {
  /** Says so. */
  constructor() {
    super("The task was cancelled.");
  }
}

/**
 * The reason of a job's `signal` when its worker has lost the task: it was silent for longer than its lease, so another
 * worker runs the task again. What this code returns or throws is dropped.
 */
export class HoldLost extends JobsError {
  /** Says so. */
  constructor() {
    super("This worker no longer holds the task.");
  }
}

/**
 * The reason of a job's `signal` when its worker stops. Unless the code returns a result within a second, the task is
 * handed back, and runs again on another worker or after a restart.
 *
 * @example
 * ```ts
 * import { defineJob, WorkerStopping } from "@mcp-jobs/mcp-jobs";
 * export const crawl = defineJob({
 *   name: "crawl",
 *   input: { type: "object" },
 *   run: async (_input, { signal, step }) => {
 *     for (let page = 1; page <= 100; page++) {
 *       if (signal.reason instanceof WorkerStopping) throw signal.reason; // the next worker goes on with this page
 *       await step("page", () => fetch(`https://example.com/${page}`).then((response) => response.text()));
 *     }
 *   },
 * });
 * ```
 */
export class WorkerStopping extends JobsError {
  /** Says so. */
  constructor() {
    super("The worker shuts down.");
  }
}

/**
 * The reason of a job's `signal` when its task was parked: it waits for an answer or sleeps, and no longer holds its worker.
 * The code runs again from its first line once it can go on. Clean up what only this run needs; nothing else of it counts.
 */
export class TaskParked extends JobsError {
  /** Says so. */
  constructor() {
    super("The task is parked, and runs again when it can go on.");
  }
}

/** The reason of a job's `signal` when the attempt has taken longer than its `timeout`. The task may be tried again. */
export class TimedOut extends JobsError {
  /** `timeout` is the longest time that the attempt may take, in ms. */
  constructor(readonly timeout: number) {
    super(`The attempt took longer than ${timeout} ms.`);
  }
}

/**
 * Throw this in a job to end the task at once, without retries, with an error that the model reads.
 *
 * @example
 * ```ts
 * import { defineJob, ToolError } from "@mcp-jobs/mcp-jobs";
 * export const charge = defineJob({
 *   name: "charge",
 *   input: { type: "object", properties: { card: { type: "string" } } },
 *   run: () => { throw new ToolError("The card was declined."); },
 * });
 * ```
 */
export class ToolError extends JobsError {}

/**
 * Throw this in a job to end the task at once, without retries, with a JSON-RPC error instead of a tool result. `code`
 * defaults to -32603, "internal error", also if it is not a whole number, as JSON-RPC requires.
 *
 * @example
 * ```ts
 * import { defineJob, JobFault } from "@mcp-jobs/mcp-jobs";
 * export const translate = defineJob({
 *   name: "translate",
 *   input: { type: "object" },
 *   run: () => { throw new JobFault("The licence has expired.", -32000); },
 * });
 * ```
 */
export class JobFault extends JobsError {
  /** The JSON-RPC error code. */
  readonly code: number;

  /** Takes the message and the JSON-RPC error code. */
  constructor(message: string, code: number = -32603) {
    super(message);
    // The code is often copied from another error, and then need not have its declared type.
    this.code = Number.isSafeInteger(code) ? code : -32603;
  }
}
