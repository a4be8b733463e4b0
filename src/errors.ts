/**
 * Every error that mcp-jobs throws, under one base.
 *
 * @module
 */
import type { TaskStatus } from "./task.ts";
import { quote } from "./text.ts";

/** The base of all errors of this package. */
export class JobsError extends Error {
  /** Keeps `cause`, and takes the class name as `name`, for logs. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No task with this id is known to this owner. A stranger's task and an id that never was are told alike. */
export class TaskNotFound extends JobsError {
  /** Names the id that was not found. */
  constructor(readonly id: string, message?: string) {
    super(message ?? `Cannot find task ${quote(id)}: the id is unknown. Check it, or start a new task.`);
  }
}

/** The task was finished, and its result has been deleted after its time to live. Told to its owner only. */
export class TaskExpired extends TaskNotFound {
  /** Names the id that expired. */
  constructor(id: string) {
    super(id, `Cannot read task ${quote(id)}: its result has expired. Start a new task.`);
  }
}

/** The result was asked for before the task was finished. */
export class TaskNotReady extends JobsError {
  /** Names the task and where it stands. */
  constructor(readonly id: string, readonly status: TaskStatus) {
    super(`Cannot read the result of task ${quote(id)}: it is ${status}. Ask for its status until it is finished.`);
  }
}

/** The task is finished, so it can no longer be cancelled. */
export class TaskFinished extends JobsError {
  /** Names the task and how it ended. */
  constructor(readonly id: string, readonly status: TaskStatus) {
    super(`Cannot cancel task ${quote(id)}: it is already ${status}.`);
  }
}

/** The caller has reached one of the server's limits. Nothing was done. */
export class LimitExceeded extends JobsError {
  /** Names the limit, says what to do, and in how many ms to try again where that helps. */
  constructor(readonly limit: string, message: string, readonly retryAfter?: number) {
    super(message);
  }
}

/** The server cannot answer now, though nothing is wrong with what was asked: it is shutting down. */
export class Unavailable extends JobsError {}

/** One thing that is wrong with an input: where, and why. */
export interface InputIssue {
  /** The way to the field, as `a.b[0]`; empty for the whole input. */
  readonly path: string;
  /** What is wrong there. */
  readonly message: string;
}

/** A value does not fit its schema. An input that does not fit is never queued. */
export class InvalidInput extends JobsError {
  /** Says what does not fit, as "input for echo", names the fields that are wrong, and says of the `rest` what there is to say. */
  constructor(readonly what: string, readonly issues: readonly InputIssue[], rest?: string) {
    const list = issues.map(({ path, message }) => path ? `${path}: ${message}` : message);
    super(`Invalid ${what}: ${[...list, ...rest === undefined ? [] : [rest]].join("; ")}`);
  }
}

/** A definition cannot be used: a duplicate or ill-formed name, a schema without JSON Schema, a bad option. */
export class DefinitionError extends JobsError {}

/** A value cannot be stored: it is not JSON, or it is too large. */
export class InvalidValue extends JobsError {}

/** The queue or its store failed. `cause` holds the original error. */
export class BackendError extends JobsError {
  /** Says what failed; `cause` is kept. */
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
  }
}

/** What the backend has opened is gone: its file was deleted, or another one stands in its place. No later try helps. */
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
 *       // After any other reason the task runs again, and goes on from there.
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
 * The reason of a job's `signal` when its worker has lost the task: it was silent for longer than its lease, and another
 * worker runs the task now, or will. What this code returns or throws is dropped.
 */
export class HoldLost extends JobsError {
  /** Says so. */
  constructor() {
    super("This worker no longer holds the task.");
  }
}

/**
 * The reason of a job's `signal` when its worker stops. Unless the code returns its result within a second, the task is
 * handed back and runs again, on another worker or after a restart.
 */
export class WorkerStopping extends JobsError {
  /** Says so. */
  constructor() {
    super("The worker shuts down.");
  }
}

/** The reason of a job's `signal` when the attempt has taken longer than its `timeout`. It may be tried again. */
export class TimedOut extends JobsError {
  /** Names the longest time that the attempt could take, in ms. */
  constructor(readonly timeout: number) {
    super(`The attempt took longer than ${timeout} ms.`);
  }
}

/**
 * Throw this in a job to end the task at once with an error that the model reads; it is not retried.
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
 * Throw this in a job to end the task at once with a JSON-RPC error instead of a tool result; it is not retried.
 * `code` defaults to -32603, "internal error"; so it is where `code` is no whole number, which JSON-RPC demands.
 */
export class JobFault extends JobsError {
  /** The JSON-RPC error code. */
  readonly code: number;

  /** Says what failed, and with which JSON-RPC error code. */
  constructor(message: string, code: number = -32603) {
    super(message);
    // Code often comes from another error, and then need not be what its type says.
    this.code = Number.isSafeInteger(code) ? code : -32603;
  }
}
