/**
 * The contract between mcp-jobs and a queue: types only. A backend queues and stores tasks, hands them to workers, and
 * emits every change through one feed. `@mcp-jobs/mcp-jobs/testing` has the tests that every backend passes.
 *
 * @module
 */
import type { DocumentStore, KeyStore, StreamStore } from "./contract/stores.ts";
import type { LogLine } from "./contract/log.ts";
import type { Operator } from "./contract/operator.ts";
import type { TraceContext } from "./contract/trace.ts";
import type { WorkHandle, WorkOptions } from "./contract/work.ts";
import type { OnError } from "./log/on_error.ts";
import type { Answer, FinishedTask, Json, Outcome, TaskInfo } from "./task.ts";

export type * from "./contract/stores.ts";
export type * from "./contract/log.ts";
export type * from "./contract/operator.ts";
export type * from "./contract/trace.ts";
export type * from "./contract/work.ts";

/** What the function that opens a backend takes, among other things. */
export interface BackendOptions {
  /** Receives errors that no caller receives. Default: a line of JSON on stderr. */
  readonly onError?: OnError;
}

/** How often a task is tried, and how long the pauses are. */
export interface RetryPolicy {
  /** The number of attempts, including the first. */
  readonly attempts: number;
  /** The pause before the second attempt, in ms; it doubles with each further one, and half of each pause is random. */
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
  /** The key, at most 200 characters, of which none is NUL. Each owner has their own keys. */
  readonly name: string;
  /** How long a COMPLETED task holds the key after its end, in ms. FAILED and CANCELLED tasks release it at once. */
  readonly window: number;
  /** FAILED and CANCELLED tasks hold the key for as long. */
  readonly heldByAll?: true;
  /** What else must be equal, at most 100 characters: a start with a different one is refused. */
  readonly fingerprint?: string;
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
  /**
   * The name of a key of its owner: if that has a text, `create` rejects with `KeyInUse`, and stores nothing. A text that is
   * written at the same moment may count or not, and so may any if the connection to the store breaks meanwhile. Not together
   * with `key`.
   */
  readonly unless?: string;
  /** The task that it repeats; `TaskInfo.retryOf` says so. */
  readonly retryOf?: string;
  /** The trace to which its attempts belong; `Claim.trace` returns it. */
  readonly trace?: TraceContext;
  /** Where it is queued, if not in the job's own queue. Backends without queues of others reject with `DefinitionError`. */
  readonly route?: Route;
}

/** What became of the answers to a task. */
export interface Answered {
  /** The task as it is then. */
  readonly task: TaskInfo;
  /** The keys of the answers that count. The others were ignored: their questions are not open, or their time has passed. */
  readonly counted: readonly string[];
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
  | {
    readonly kind: "change";
    readonly task: TaskInfo;
    /** How the task has ended, if the backend has read that, too: then nobody else needs to. */
    readonly outcome?: Outcome;
  }
  | { readonly kind: "gap" };

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
   * it cannot be stored, for example because its input is too large, with `InvalidInput` if the `fingerprint` of its key
   * differs, and with `KeyInUse` if the key of `unless` has a text. `admit` is called before a task is stored, when its key
   * names it, and not if one is found; if it rejects, nothing is stored, and `create` rejects with the same. If another start
   * takes the key before the task is stored, and leaves it again, `admit` is called again.
   */
  create(task: NewTask, admit?: () => Promise<void>): Promise<TaskInfo>;
  /** Reads a task. Rejects with `TaskNotFound`, or with `TaskExpired` for its owner. */
  get(id: string, owner: string): Promise<TaskInfo>;
  /** Reads the outcome of a finished task; a cancelled one has a fault that says so. Rejects as `get`, and with `TaskNotReady`. */
  outcome(id: string, owner: string): Promise<Outcome>;
  /**
   * Reads the log of a task: its last 200 lines, of at most 65,536 bytes together, in order. It is kept as long as the task.
   * Rejects as `get`.
   */
  log(id: string, owner: string): Promise<readonly LogLine[]>;
  /**
   * Cancels a task. If it is running, asks the worker to stop it, and waits up to `wait` ms until it has. Resolves with the
   * CANCELLED task, whose `work` says what is known. Rejects as `get`, and with `TaskFinished`.
   */
  cancel(id: string, owner: string, wait: number): Promise<FinishedTask>;
  /**
   * Stores answers to a task's open questions, by key, and ignores all others; a question whose time has passed is
   * answered with `expired` instead. Of any number of answers to a question at the same moment, in any number of processes,
   * only one counts. The task continues once no question is open. Does not check whether an answer fits the schema of its
   * question: the caller does, because one that does not fit ends the task with an error. Rejects as `get`, and with
   * `InvalidValue` if the answers are too large to be stored.
   */
  answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<Answered>;
  /**
   * Lists an owner's tasks, newest first. Rejects with `InvalidInput` if the cursor is not from a page of this backend, and
   * with `DefinitionError` if the limit is no whole number from 1.
   */
  list(owner: string, options: { readonly cursor?: string | undefined; readonly limit: number }): Promise<TaskPage>;
  /**
   * Checks whether a task could be stored now, with a small write that emits no event. Rejects with `BackendError` if not.
   * `/healthz` calls it, at most once in 5 s.
   */
  check(): Promise<void>;
  /** Whether a worker for this job is alive now, in any of its queues; with a `route`, in the queue that it names. */
  hasWorker(job: string, route?: Route): Promise<boolean>;
  /**
   * Subscribes to the changes of every task, made by this process or any other. Those of one task come in the order of
   * their revisions, and none twice. A state that another one has replaced at once may be skipped; the end is not. Returns
   * a function that unsubscribes. A listener must not throw, since no caller could receive its error.
   */
  watch(listener: (event: TaskEvent) => void): () => void;
  /** Whether it puts tasks into queues of others, as `NewTask.route` says. Otherwise a server refuses to register such jobs. */
  readonly routes?: boolean;
  /** Whether its tasks end with this process, as in memory: a server that shuts down tells the callers that wait for them so. */
  readonly volatile?: boolean;
  /** What keys name, in the same place in which `create` looks for the key of a task. */
  readonly keys: KeyStore;
  /** What an operator sees and does. */
  readonly operator: Operator;
  /** Documents of the system, such as schedules. */
  readonly documents: DocumentStore;
  /** Keeps the streams of HTTP sessions. If absent, the server keeps them in memory. */
  readonly streams?: StreamStore;
  /** Starts a worker. */
  work(options: WorkOptions): WorkHandle;
  /** Closes the backend. Workers that are still running are stopped without grace. */
  close(): Promise<void>;
  /** Aborts when the backend closes: whoever waits for a task then waits in vain. */
  readonly closed: AbortSignal;
}
