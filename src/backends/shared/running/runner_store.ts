/**
 * What a runner needs of a store.
 *
 * @module
 */
import type { Attempt, ProgressReport, RecordedStep, TraceContext } from "../../../backend.ts";
import type { QuestionState } from "../../../questions/open.ts";
import type { Answer, Json, NewQuestion, TaskInfo } from "../../../task.ts";
import type { NewLines } from "../../../task_log/newest_lines.ts";
import type { WaitsFor } from "../record.ts";

/** A task that was just claimed. */
export interface ClaimedTask {
  /** The task, which is RUNNING now; `revision` is that of the claim. */
  readonly task: Pick<TaskInfo, "id" | "job" | "owner" | "attempt" | "revision">;
  /** Its input. */
  readonly input: Json;
  /** The longest time that the attempt may take, in ms; absent: no limit. */
  readonly timeout?: number;
  /** The trace in which it was created. */
  readonly trace?: TraceContext;
  /** Whether an earlier run may have recorded steps. */
  readonly mayHaveSteps: boolean;
  /** The answers that earlier runs received, by the keys of their questions; absent: none. */
  readonly answers?: { readonly [key: string]: Answer };
}

/** A task that was just claimed and cannot run. */
export interface FailedClaim {
  /** The task, which is RUNNING now. */
  readonly task: ClaimedTask["task"];
  /** Writes what becomes of it instead. The runner calls it again while it fails. */
  readonly end: () => Promise<void>;
}

/** What a store gives a runner that asks for tasks. */
export interface ClaimResult {
  /** The tasks to run. */
  readonly claims: readonly ClaimedTask[];
  /** What was claimed, but cannot run. */
  readonly failed?: readonly FailedClaim[];
  /** Whether there may be more that are due. */
  readonly more: boolean;
  /** How long it is until the next one is due, in ms; absent or `Infinity`: not known. */
  readonly dueIn?: number;
}

/** What names a claim: its task, and the revision that it made. */
export type ClaimName = Pick<TaskInfo, "id" | "revision">;

/**
 * What a store does for a runner. Each write is a no-op for a claim that the runner no longer holds; it rejects with
 * `InvalidValue` for what can never be stored, and with anything else for what may be stored later.
 */
export interface RunnerStore {
  /** The time by the store's clock, in ms since the epoch. */
  now(): number;
  /**
   * Each claim costs a request or a read of a file, so one should fill all slots that become free at the same moment.
   * Absent: a claim costs next to nothing.
   */
  readonly claimsCost?: boolean;
  /** Claims up to `max` tasks that are due. */
  claim(max: number): Promise<ClaimResult>;
  /** Stores questions; resolves with how each of them stands then. */
  ask(claim: ClaimName, questions: readonly NewQuestion[]): Promise<readonly QuestionState[]>;
  /** Reads the answer to a question, if there is one. */
  answer(claim: ClaimName, key: string): Promise<Answer | undefined>;
  /** Stores what a running job says of itself, and adds lines to the log of its task. */
  report(claim: ClaimName, report: ProgressReport, added: NewLines): Promise<void>;
  /** Stores how an attempt ended: its task is finished, or tried again. */
  settle(claim: ClaimName, attempt: Attempt): Promise<void>;
  /** Reads what a running task has recorded, in the order of the numbers. */
  steps(claim: ClaimName): Promise<readonly RecordedStep[]>;
  /** Stores a step of a running task. */
  record(claim: ClaimName, step: RecordedStep): Promise<void>;
  /** Deletes the steps of a running task from this number on. */
  forget(claim: ClaimName, from: number): Promise<void>;
  /** Stores that a task waits without a worker. */
  park(claim: ClaimName, awaited: WaitsFor): Promise<void>;
  /** Gives a task back to the queue, without counting the attempt; `abandoned`: its code may run on. */
  handBack(claim: ClaimName, abandoned: boolean): Promise<void>;
}
