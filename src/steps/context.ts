/**
 * What the code of a job gets.
 *
 * @module
 */
import type { TraceContext } from "../contract/trace.ts";
import type { LogLevel } from "../contract/log.ts";
import type { Elicit } from "../questions/elicit.ts";

/** What a running job knows about itself, and can do. */
export interface JobContext {
  /** The task id. */
  readonly id: string;
  /** The name of the job. */
  readonly job: string;
  /** The principal that the task belongs to; `""` if another program has queued it. */
  readonly owner: string;
  /**
   * The number of this attempt, from 1. A run after the death of a worker has the next number, although that death uses none of
   * the job's `attempts`; one after a hand-back, or after the task was parked, keeps the number.
   */
  readonly attempt: number;
  /**
   * The trace to which this attempt belongs, for systems that OpenTelemetry does not reach by itself: its own span if the
   * process has a provider of OpenTelemetry, otherwise that in which the task was created. Absent without either.
   */
  readonly trace?: TraceContext;
  /**
   * Aborts when the code should stop; pass it on to what you await. Its `reason` says why: `TaskCancelled`, `TimedOut`,
   * `WorkerStopping`, `HoldLost` if another worker has taken the task over, or `TaskParked` if the task waits without one.
   */
  readonly signal: AbortSignal;
  /**
   * Reports how much is done, from 0 to 1, and what the job is doing. Resolves when this or a newer report is stored. A number
   * below 0 counts as 0, as does what is no number, and one above 1 as 1; `onError` of the worker receives the first of them.
   *
   * A run that may only repeat earlier ones holds its reports, and resolves at once. The newest is stored when the run does
   * something new or ends, and at the latest after 1 s.
   */
  progress(fraction: number, message?: string): Promise<void>;
  /**
   * Adds a line to the log of the task, with the level `info`, and reports it as what the job is doing. The last 200 lines are
   * kept, of at most 64 KiB together; a text of more than 4,000 characters is cut. The owner of the task can read them, as
   * the resource `mcp://results/<job>/<task_id>/log`: log nothing that they must not see. Resolves when it is stored, and
   * need not be awaited: lines that come faster than they can be stored are stored together, and all before the task ends.
   *
   * A run that may only repeat earlier ones holds its lines, and resolves at once. It drops them when it reaches a recorded
   * step or answer, because an earlier run has stored them. They are stored when the run does something new or ends, and at
   * the latest after 1 s.
   */
  log(text: string): Promise<void>;
  /**
   * As `log(text)`, with another level. A line with the level `debug` is not reported as what the job is doing. Throws
   * `DefinitionError` for an unknown level.
   */
  log(level: LogLevel, text: string): Promise<void>;
  /**
   * Asks the person who uses the client. The task is INPUT_REQUIRED until the answer arrives. Question and answer are
   * stored with the task, so a job that runs again after its worker died receives the answer without asking twice.
   * Questions are identified by message and schema, and equal ones by their order; a different message is a new question.
   * `ctx.elicit.all([...])` asks several at once. A question with `expiresIn` that has no answer in time is answered with
   * `expired`.
   *
   * The schema describes a flat object with fields that a form can have: text, numbers, yes or no, one or several items of a
   * list; any other field rejects with `DefinitionError`. With `url` instead, the person is asked to open a page. An accepted
   * answer fits the schema, and has at most 4,000 characters of JSON. Open questions and all answers of a task have at most
   * 10,000 together: a question without room waits until others are answered. Rejects with `ToolError` if that would not
   * help, and with the reason of `signal` once that aborts.
   *
   * If the answer does not arrive within the job's `parkAfter`, the task is parked: this run ends with `TaskParked`, and the
   * code runs again once all questions are answered. Put into steps what must not be done twice.
   */
  readonly elicit: Elicit;
  /**
   * Runs a part of the job, and records its result with the task. A later run of the same task returns the recorded result
   * instead. Resolves with the result as JSON represents it (`undefined` becomes `null`). A part that throws is not recorded.
   * It is executed at least once: if its worker dies before the result is stored, it runs again, with the same
   * `idempotencyKey`.
   *
   * The name has 1 to 100 characters and no `#`. Steps with the same name are numbered in the order in which they begin, so
   * give steps that run at the same time different names. A task has at most 200 steps, also those of `sleep`, `until`, `now`
   * and `random`, with at most 262,144 bytes of JSON each. Rejects with `ToolError` beyond these, with `InvalidValue` if the
   * result is not JSON, with `DefinitionError` for a step inside a step of the same name, and with `JobFault` if the recorded
   * steps are those of other code (see `onStepMismatch`).
   */
  step<T>(name: string, run: (step: StepContext) => T | Promise<T>): Promise<Stored<T>>;
  /**
   * Waits `ms` ms, without a worker if that is longer than the job's `parkAfter`: the task is parked, and the code runs again
   * when the time is over. The end is recorded as a step, so a later run waits only for what is left.
   */
  sleep(name: string, ms: number): Promise<void>;
  /** As `sleep`, until a time, given as a `Date` or in ms since the epoch. Returns at once if it has passed. */
  until(name: string, time: Date | number): Promise<void>;
  /** The time in ms since the epoch, recorded as a step: a later run gets the same. */
  now(): Promise<number>;
  /** A random number from 0 to below 1, recorded as a step: a later run gets the same. */
  random(): Promise<number>;
}

/** What a step gets. */
export interface StepContext {
  /** `<task id>:<step>`: the same whenever this step runs, and different for every other. Pass it on to what the step calls. */
  readonly idempotencyKey: string;
  /** That of the job. */
  readonly signal: AbortSignal;
}

/** A value as a later run reads it: `undefined` becomes `null`. */
export type Stored<T> = T extends undefined | void ? null : T;
