/**
 * The contract between mcp-jobs and a queue: types only. A backend queues and stores tasks, hands them to workers,
 * and tells of every change through one feed. `@mcp-jobs/mcp-jobs/testing` holds the tests that every backend passes.
 *
 * @module
 */
import type { Answer, FinishedTask, Json, Outcome, Question, TaskInfo } from "./task.ts";

/** How often and how a task is tried again. */
export interface RetryPolicy {
  /** How many attempts there are in all, the first one included. */
  readonly attempts: number;
  /** The pause before the second attempt in ms; it doubles with each further one. */
  readonly delay: number;
  /** The longest pause in ms. */
  readonly maxDelay: number;
}

/** A place in a queue that is not ours. */
export interface Route {
  /** The queue's name. */
  readonly queue: string;
  /** The name under which its workers know the job. */
  readonly jobName: string;
}

/** A task to be stored. */
export interface NewTask {
  /**
   * The task id, a UUID of version 7. It is unique: the caller makes it once, for this task (`newTaskId`). What a backend
   * does with a second task of one id is not defined.
   */
  readonly id: string;
  /** The job's name. */
  readonly job: string;
  /** The principal that the task belongs to, 1 to 128 characters. */
  readonly owner: string;
  /** The input, exactly as the job will get it. */
  readonly input: Json;
  /** How long the result is kept once the task is finished, in ms. */
  readonly resultTtl: number;
  /** How often it is tried. */
  readonly retry: RetryPolicy;
  /** The longest time that one attempt may take, in ms; absent: no limit. */
  readonly timeout?: number;
  /** How long to wait before the first attempt, in ms. */
  readonly delay?: number;
  /** 0 is the most urgent and the default; larger numbers run later. */
  readonly priority?: number;
  /** Where it is queued, if not in the job's own queue. Backends without queues of others reject with `DefinitionError`. */
  readonly route?: Route;
}

/** One page of an owner's tasks, the newest first. */
export interface TaskPage {
  /** The tasks. */
  readonly tasks: readonly TaskInfo[];
  /** Ask for the next page with this; absent on the last page. */
  readonly nextCursor?: string;
}

/** What the feed tells: a task has changed, or events may have been missed and watchers should read anew. */
export type TaskEvent =
  | { readonly kind: "change"; readonly task: TaskInfo }
  | { readonly kind: "gap" };

/** How one attempt ended, as the worker reports it. */
export type Attempt =
  | { readonly kind: "value"; readonly value: Json }
  | {
    readonly kind: "error";
    readonly message: string;
    readonly retry: boolean;
    /** The code was given up at its time-out: it has not stopped when its signal aborted, and may run on. */
    readonly abandoned?: true;
  }
  | { readonly kind: "fault"; readonly message: string; readonly code?: number };

/** What a running job says of itself. */
export interface ProgressReport {
  /** How much is done, from 0 to 1. */
  readonly progress?: number;
  /** What it does now. */
  readonly message?: string;
}

/** A task that this worker holds and runs. */
export interface Claim {
  /** The task, the job whose code runs it, and which attempt this is, from 1. */
  readonly task: Pick<TaskInfo, "id" | "job" | "attempt">;
  /** The input as it was stored. */
  readonly input: Json;
  /** The longest time this attempt may take, in ms. */
  readonly timeout?: number;
  /**
   * Aborts with `TaskCancelled` when the task is cancelled, with `HoldLost` when another worker may have taken it over, and
   * with `WorkerStopping` when this one stops.
   */
  readonly signal: AbortSignal;
  /** Stores what the job says of itself; a report that a newer one overtakes may be skipped. */
  report(report: ProgressReport): Promise<void>;
  /**
   * Stores a question with the task, which is INPUT_REQUIRED until it is answered, and resolves with the answer. If an
   * earlier attempt has got the answer to the same key, resolves at once. Rejects with the signal's reason. `createWorker`
   * and `Tasks` see to it that open questions and answers of a task have at most 10,000 characters of JSON together.
   */
  ask(question: Question): Promise<Answer>;
}

/** What a worker asks of a backend. */
export interface WorkOptions {
  /** The names of the jobs it can run. */
  readonly jobs: readonly string[];
  /** How many tasks it runs at once: of all jobs together, on BullMQ of each, because each has a queue of its own. */
  readonly concurrency: number;
  /**
   * The worker gets ready at once, and claims its first task when this resolves; it never rejects. Default: at once. A
   * stdio server waits with it for its client's first call.
   */
  readonly after?: Promise<void>;
  /** Runs one attempt. It never throws. */
  run(claim: Claim): Promise<Attempt>;
}

/** A worker at its backend. */
export interface WorkHandle {
  /** Resolves once the worker is known to the backend and takes tasks; rejects if the store fails before. */
  readonly ready: Promise<void>;
  /**
   * Takes no new task, waits `grace` ms for the running ones, hands back the rest. It may be called again, and then with
   * less time.
   */
  stop(grace: number): Promise<void>;
}

/** One message of a stream. */
export interface StreamEvent {
  /** The event's id; ids of one stream sort in the order of its messages. */
  readonly id: string;
  /** The message, as JSON text. */
  readonly text: string;
}

/** Messages on their way to clients, kept for a while, so that a broken stream goes on where it broke. */
export interface StreamStore {
  /** Keeps a message for at least `ttl` ms. */
  append(stream: string, event: StreamEvent, ttl: number): Promise<void>;
  /** Reads what a stream holds behind an id, in order; behind `""` is all of it. */
  readAfter(stream: string, id: string): Promise<readonly StreamEvent[]>;
  /** Forgets a stream. */
  clear(stream: string): Promise<void>;
}

/**
 * A queue and a store of tasks.
 *
 * Promises: at-least-once execution; exactly one terminal transition, the first one; a task is stored before `create`
 * resolves; a terminal task never changes. Every read and write names the owner, and to a stranger a task does not exist.
 * A method rejects with {@linkcode BackendError} when the store fails.
 */
export interface Backend extends AsyncDisposable {
  /** Stores a task and queues it. Rejects with `InvalidValue` if it cannot be stored: its input is too large, for one. */
  create(task: NewTask): Promise<TaskInfo>;
  /** Reads a task. Rejects with `TaskNotFound`, or for its owner with `TaskExpired`. */
  get(id: string, owner: string): Promise<TaskInfo>;
  /** Reads how a finished task ended; a cancelled one ends with a fault that says so. Rejects as `get`, and with `TaskNotReady`. */
  outcome(id: string, owner: string): Promise<Outcome>;
  /**
   * Cancels a task: at once if it does not run; else asks the worker and waits up to `wait` ms for its answer.
   * Resolves with the CANCELLED task, whose `work` says what is known. Rejects as `get`, and with `TaskFinished`.
   */
  cancel(id: string, owner: string, wait: number): Promise<FinishedTask>;
  /**
   * Stores answers to a task's open questions, by key; answers to anything else are left out. The task runs on once
   * none is open. Rejects as `get`, and with `InvalidValue` if they are too large to be stored.
   */
  answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<TaskInfo>;
  /** Lists an owner's tasks, the newest first. Rejects with `InvalidInput` if the cursor is not one of ours. */
  list(owner: string, options: { readonly cursor?: string; readonly limit: number }): Promise<TaskPage>;
  /**
   * Tries whether a task could be stored now, with a small write of its own, which nobody hears of. Rejects with
   * `BackendError` if not. `/healthz` calls it, at most once in 5 s.
   */
  check(): Promise<void>;
  /** Whether a worker for this job is alive now; with a `route`, one of the queue that it names. */
  hasWorker(job: string, route?: Route): Promise<boolean>;
  /**
   * Listens to every change of every task, of this process and of others. Returns the way to stop. A listener must not
   * throw: nobody is there to take its error.
   */
  watch(listener: (event: TaskEvent) => void): () => void;
  /** Whether it puts tasks into queues of others, as `NewTask.route` says; else a server refuses to register such jobs. */
  readonly routes?: boolean;
  /** Keeps the streams of HTTP sessions; a server of a backend without it keeps them in memory. */
  readonly streams?: StreamStore;
  /** Starts to take and run tasks. */
  work(options: WorkOptions): WorkHandle;
  /** Closes the backend; workers that still run are stopped without grace. */
  close(): Promise<void>;
}
