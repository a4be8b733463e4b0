/**
 * The contract between a worker and its backend.
 *
 * @module
 */
import type { OnError } from "../log/on_error.ts";
import type { Answer, Json, NewQuestion, ResultValue, TaskInfo } from "../task.ts";
import type { NewLogLine } from "./log.ts";
import type { TraceContext } from "./trace.ts";

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
  /**
   * The task id, the job whose code runs it, its owner (`""` if another program has queued it), and the number of this
   * attempt, from 1.
   */
  readonly task: Pick<TaskInfo, "id" | "job" | "owner" | "attempt">;
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
   * Adds a line to the log of the task, whose revision increases with it. Lines that come faster than they are stored are
   * stored together, and of those no more than are kept. All are stored before the end of the attempt is, before the task
   * is parked, and before it is handed back. A line of a worker that no longer holds the task is not stored. Never rejects
   * because the store fails.
   */
  log(line: NewLogLine): Promise<void>;
  /**
   * Stores a question with the task, which is INPUT_REQUIRED until it is answered, and resolves with the answer; questions
   * that are asked at the same time are stored together. If an earlier attempt received the answer to the same key,
   * resolves at once. A question with `expiresIn` that has no answer in time is answered with `expired`; the time counts
   * from when it was first asked. Rejects with the signal's reason. `createWorker` and `Tasks` ensure that open questions
   * and answers of a task have at most 10,000 characters of JSON together.
   */
  ask(question: NewQuestion): Promise<Answer>;
  /**
   * The answers that earlier runs received, by the keys of their questions, if they came with the claim. `ask` need not be
   * called for these.
   */
  readonly answers?: { readonly [key: string]: Answer };
  /** Resolves once every question that was asked is stored. `ask` has resolved by then if an answer existed already. */
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

/**
 * How many tasks of a job may run at once, and how many may begin, over all workers. Every start of a run counts: first
 * attempts, retries, and parked tasks that continue.
 */
export interface JobLimits {
  /** At most so many tasks of the job are held by workers at once; a parked one is held by none. */
  readonly concurrency?: number;
  /** At most `max` begin within `per` ms, counted from the first one; those that wait begin when the time is over. */
  readonly rateLimit?: { readonly max: number; readonly per: number };
}

/** The options of a worker at a backend. */
export interface WorkOptions {
  /** The names of the jobs that it can run. */
  readonly jobs: readonly string[];
  /** How many tasks it runs at once: of all jobs together, but on BullMQ of each job, because each has its own queue. */
  readonly concurrency: number;
  /** The limits of these jobs, by name, for jobs that have any. All workers should have the same for a job. */
  readonly limits?: { readonly [job: string]: JobLimits };
  /**
   * The worker gets ready at once, but claims its first task only when this resolves; it never rejects. A stdio server
   * uses it to wait for its client's first call. Default: no waiting.
   */
  readonly after?: Promise<void>;
  /** Receives errors that no caller receives. Default: the backend's own. */
  readonly onError?: OnError;
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
