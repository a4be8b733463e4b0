/**
 * The contract between mcp-jobs and a queue: types only. A backend queues and stores tasks, hands them to workers, and
 * emits every change through one feed. `@mcp-jobs/mcp-jobs/testing` has the tests that every backend passes.
 *
 * @module
 */
import type { Answer, FinishedTask, Json, NewQuestion, Outcome, ResultValue, TaskInfo } from "./task.ts";

/** How often a task is tried, and how long the pauses are. */
export interface RetryPolicy {
  /** The number of attempts, including the first. */
  readonly attempts: number;
  /** The pause before the second attempt, in ms; it doubles with each further one. */
  readonly delay: number;
  /** The longest pause, in ms. */
  readonly maxDelay: number;
}

/** A place in a queue whose workers are not ours. */
export interface Route {
  /** The queue's name. */
  readonly queue: string;
  /** The name by which its workers know the job. */
  readonly jobName: string;
}

/** A key that makes starts equal: of all starts with the same key, one creates the task, and the others receive it. */
export interface TaskKey {
  /** The key, at most 200 characters. Each owner has their own keys. */
  readonly name: string;
  /** How long a COMPLETED task holds the key after its end, in ms. FAILED and CANCELLED tasks release it at once. */
  readonly window: number;
  /** What else must be equal, at most 100 characters: a start with a different one is refused. */
  readonly fingerprint?: string;
}

/** The trace to which something belongs, in the words of the W3C recommendation "Trace Context". */
export interface TraceContext {
  /** The ids of the trace and of the span above. */
  readonly traceparent: string;
  /** What tracing systems add to it. */
  readonly tracestate?: string;
}

/** A task to be stored. */
export interface NewTask {
  /**
   * The task id, a UUID of version 7 that is new for each task (`newTaskId`). What a backend does with a second task of the
   * same id is undefined.
   */
  readonly id: string;
  /** The job's name. */
  readonly job: string;
  /** The principal that the task belongs to, 1 to 128 characters. */
  readonly owner: string;
  /** The input, exactly as the job receives it. */
  readonly input: Json;
  /** How long the result is kept once the task is finished, in ms. */
  readonly resultTtl: number;
  /** How often it is tried, with which pauses. */
  readonly retry: RetryPolicy;
  /** The longest time that one attempt may take, in ms; absent: no limit. */
  readonly timeout?: number;
  /** How long to wait before the first attempt, in ms. */
  readonly delay?: number;
  /** 0, the default, is the most urgent; larger numbers run later. */
  readonly priority?: number;
  /** If a task holds this key, `create` resolves with that task, and stores nothing. */
  readonly key?: TaskKey;
  /** The trace to which its attempts belong; `Claim.trace` returns it. */
  readonly trace?: TraceContext;
  /** Where it is queued, if not in the job's own queue. Backends without queues of others reject with `DefinitionError`. */
  readonly route?: Route;
}

/** One page of an owner's tasks, newest first. */
export interface TaskPage {
  /** The tasks. */
  readonly tasks: readonly TaskInfo[];
  /** The cursor of the next page; absent on the last page. */
  readonly nextCursor?: string;
}

/** An event of the feed: a task has changed, or events may have been missed and watchers should read again. */
export type TaskEvent =
  | { readonly kind: "change"; readonly task: TaskInfo }
  | { readonly kind: "gap" };

/** How one attempt ended, as the worker reports it. */
export type Attempt =
  | { readonly kind: "value" } & ResultValue
  | {
    readonly kind: "error";
    readonly message: string;
    readonly retry: boolean;
    /** The code did not stop when its signal aborted at the time-out, and may still run. */
    readonly abandoned?: true;
  }
  | { readonly kind: "fault"; readonly message: string; readonly code?: number };

/** What a running job reports about itself. */
export interface ProgressReport {
  /** How much is done, from 0 to 1. */
  readonly progress?: number;
  /** What it is doing now. */
  readonly message?: string;
}

/** A step that a running task has recorded, so that a later run need not repeat it. */
export interface RecordedStep {
  /** Its number within the task, 0 to 199. A step that is recorded with the number of another replaces it. */
  readonly index: number;
  /** What is recorded, as JSON text of at most 264,192 bytes in UTF-8. Only `createWorker` reads it. */
  readonly text: string;
}

/** A task that a worker holds and runs. */
export interface Claim {
  /** The task id, the job whose code runs it, and the number of this attempt, from 1. */
  readonly task: Pick<TaskInfo, "id" | "job" | "attempt">;
  /** The input as it is stored. */
  readonly input: Json;
  /** The longest time that this attempt may take, in ms; absent: no limit. */
  readonly timeout?: number;
  /** The trace in which the task was created. */
  readonly trace?: TraceContext;
  /**
   * Aborts with `TaskCancelled` when the task is cancelled, with `HoldLost` when another worker may have taken it over, with
   * `WorkerStopping` when this one stops, and with `TaskParked` after `park`.
   */
  readonly signal: AbortSignal;
  /** The time by the clock that decides when a parked task is due, in ms since the epoch. */
  now(): number;
  /** Whether an earlier run of the task may have recorded steps. If not, `steps` need not be read. */
  readonly mayHaveSteps: boolean;
  /** Stores a report of the job. One that is followed by a newer report may be skipped. */
  report(report: ProgressReport): Promise<void>;
  /**
   * Stores a question with the task, which is INPUT_REQUIRED until it is answered, and resolves with the answer; questions
   * that are asked at the same time are stored together. If an earlier attempt received the answer to the same key,
   * resolves at once. A question with `expiresIn` that has no answer in time is answered with `expired`; the time counts
   * from when it was first asked. Rejects with the signal's reason. `createWorker` and `Tasks` ensure that open questions
   * and answers of a task have at most 10,000 characters of JSON together.
   */
  ask(question: NewQuestion): Promise<Answer>;
  /** Resolves once every question that was asked is stored; by then `ask` resolves if an answer was there already. */
  stored(): Promise<void>;
  /** Reads the recorded steps of the task, in the order of their numbers. */
  steps(): Promise<readonly RecordedStep[]>;
  /**
   * Records a step, with one write that leaves the task's record as it is, and only while this worker holds the task.
   * Resolves once it is stored, or the task is lost. Rejects once the attempt is over.
   */
  record(step: RecordedStep): Promise<void>;
  /** Deletes the recorded steps from this number on. */
  forget(from: number): Promise<void>;
  /**
   * Ends this run without ending the attempt. With questions that `ask` still waits for, the task is INPUT_REQUIRED until
   * they are answered, or until the time `until`; without any, PENDING until then. Later it is claimed again, ahead of tasks
   * of its priority that never ran, with the same `attempt`. If nothing is left to wait for, it is ready at once.
   *
   * Before `park` resolves, the worker's slot is free, and `signal` has aborted with `TaskParked` unless it had aborted
   * before. Nothing that the run does afterwards is stored. Resolves if the task is stored or the worker no longer holds it.
   */
  park(until?: number): Promise<void>;
}

/** The options of a worker at a backend. */
export interface WorkOptions {
  /** The names of the jobs that it can run. */
  readonly jobs: readonly string[];
  /** How many tasks it runs at once: of all jobs together, but on BullMQ of each job, because each has its own queue. */
  readonly concurrency: number;
  /**
   * The worker gets ready at once, but claims its first task only when this resolves; it never rejects. A stdio server
   * uses it to wait for its client's first call. Default: no waiting.
   */
  readonly after?: Promise<void>;
  /** Runs one attempt. It never throws. */
  run(claim: Claim): Promise<Attempt>;
}

/** A worker at its backend. */
export interface WorkHandle {
  /** Resolves once the worker is known to the backend and takes tasks. Rejects if the store fails for good before that. */
  readonly ready: Promise<void>;
  /**
   * Claims no more tasks, waits `grace` ms for the running ones, and hands back the rest. It may be called again with less
   * time.
   */
  stop(grace: number): Promise<void>;
}

/** A message of a stream. */
export interface StreamEvent {
  /** The event's id; the ids of a stream sort in the order of its messages. */
  readonly id: string;
  /** The message, as JSON text. */
  readonly text: string;
}

/** Keeps messages on their way to clients for a while, so that a broken stream can be resumed where it broke. */
export interface StreamStore {
  /** Keeps a message for at least `ttl` ms. */
  append(stream: string, event: StreamEvent, ttl: number): Promise<void>;
  /** Reads the messages of a stream after an id, in order; all of them after `""`. */
  readAfter(stream: string, id: string): Promise<readonly StreamEvent[]>;
  /** Deletes a stream. */
  clear(stream: string): Promise<void>;
}

/**
 * Keeps what a key names: for `create` the id of a task with the fingerprint of its start, and for servers what they tell
 * each other, such as which tasks no call waits for.
 */
export interface KeyStore {
  /** What a key of an owner names. The owner `""` has the keys of the servers themselves. */
  named(owner: string, key: string): Promise<string | undefined>;
  /**
   * Lets a key name `to`, at most 4,000 characters, or nothing, if it names `from` now. Resolves with whether it did: of any
   * number of calls at the same moment with the same `from`, in any number of processes, only one does. A key is kept for at
   * least 30 days, unless it names a task that is gone.
   */
  rename(owner: string, key: string, from: string | undefined, to: string | undefined): Promise<boolean>;
}

/**
 * A queue and a store of tasks.
 *
 * It promises that tasks are executed at least once; that each has exactly one terminal transition, the first one; that a
 * task is stored before `create` resolves; and that a terminal task never changes. Every read and write names the owner;
 * for anyone else the task does not exist. A method rejects with {@linkcode BackendError} when the store fails.
 */
export interface Backend extends AsyncDisposable {
  /**
   * Stores a task and queues it. If another task holds its `key`, resolves with that one instead, as its id shows: of any
   * number of calls at the same moment, in any number of processes, only one stores a task. Rejects with `InvalidValue` if
   * it cannot be stored, for example because its input is too large, and with `InvalidInput` if the `fingerprint` of its key
   * differs. `admit` is called once before a task is stored, and not if one is found; if it rejects, nothing is stored, and
   * `create` rejects with the same.
   */
  create(task: NewTask, admit?: () => Promise<void>): Promise<TaskInfo>;
  /** Reads a task. Rejects with `TaskNotFound`, or with `TaskExpired` for its owner. */
  get(id: string, owner: string): Promise<TaskInfo>;
  /** Reads the outcome of a finished task; that of a cancelled one is a fault that says so. Rejects as `get`, and with `TaskNotReady`. */
  outcome(id: string, owner: string): Promise<Outcome>;
  /**
   * Cancels a task. If it is running, asks the worker to stop it, and waits up to `wait` ms until it has. Resolves with the
   * CANCELLED task, whose `work` says what is known. Rejects as `get`, and with `TaskFinished`.
   */
  cancel(id: string, owner: string, wait: number): Promise<FinishedTask>;
  /**
   * Stores answers to a task's open questions, by key, and ignores all others; a question whose time has passed is
   * answered with `expired` instead. The task continues once no question is open. Rejects as `get`, and with `InvalidValue` if the answers are too large to be stored.
   */
  answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<TaskInfo>;
  /** Lists an owner's tasks, newest first. Rejects with `InvalidInput` if the cursor is not from a page of this backend. */
  list(owner: string, options: { readonly cursor?: string; readonly limit: number }): Promise<TaskPage>;
  /**
   * Checks whether a task could be stored now, with a small write that emits no event. Rejects with `BackendError` if not.
   * `/healthz` calls it, at most once in 5 s.
   */
  check(): Promise<void>;
  /** Whether a worker for this job is alive now; with a `route`, one of the queue that it names. */
  hasWorker(job: string, route?: Route): Promise<boolean>;
  /**
   * Subscribes to every change of every task, made by this process or any other. Returns a function that unsubscribes. A
   * listener must not throw, since no caller could receive its error.
   */
  watch(listener: (event: TaskEvent) => void): () => void;
  /** Whether it puts tasks into queues of others, as `NewTask.route` says. Otherwise a server refuses to register such jobs. */
  readonly routes?: boolean;
  /** What keys name, in the same place in which `create` looks for the key of a task. */
  readonly keys: KeyStore;
  /** Keeps the streams of HTTP sessions. If absent, the server keeps them in memory. */
  readonly streams?: StreamStore;
  /** Starts a worker. */
  work(options: WorkOptions): WorkHandle;
  /** Closes the backend. Workers that are still running are stopped without grace. */
  close(): Promise<void>;
}
