/**
 * What a store of ours does: it reads and writes tasks, and finds those that wait. It decides nothing.
 * `StoreBackend`, `Claims` and `Lease` make a backend of it.
 *
 * @module
 */
import type {
  DocumentStore,
  JobLimits,
  KeyStore,
  LogLine,
  RecordedStep,
  StreamStore,
  WorkerInfo,
} from "../../../backend.ts";
import type { FoundTasks, Purged, PurgedPage, TaskCounts, TaskQuery } from "../../../operator/primitives.ts";
import type { Json, Outcome, TaskInfo } from "../../../task.ts";
import type { TaskRecord } from "../record.ts";

/**
 * A task as it was read or written. Each store adds what it needs to detect later changes; its callers only
 * hand the entry back.
 */
export interface Entry {
  /** The task as it was then. */
  readonly record: TaskRecord;
}

/** What must hold of a key of a new task's owner at the moment when the task is stored. */
export interface KeyCondition {
  /** The name of the key. */
  readonly name: string;
  /** What it names: this task, or nothing. A text names the task whose id is its first `ID_LENGTH` characters. */
  readonly names: "task" | "nothing";
}

/** A worker that claims tasks. */
export type Worker = Pick<WorkerInfo, "name" | "jobs">;

/** A worker, as its lease stores it for operators. Its name is a UUID. */
export type LeasedWorker = Omit<WorkerInfo, "running">;

/** Reads and writes tasks. Rejects with `BackendError` while it fails. */
export interface Store<E extends Entry = Entry> extends KeyStore {
  /** Keeps the streams of HTTP sessions. */
  readonly streams: StreamStore;
  /** Keeps documents, and tells the `Hub` of their changes. */
  readonly documents: Omit<DocumentStore, "watch">;
  /** What it does for an operator. Inputs are kept as long as their tasks, because a task may be repeated. */
  readonly operating: OperatingStore<E>;
  /** The time by the store's clock, in ms since the epoch. */
  now(): number;
  /** Throws `StoreLost` where the store is gone for good. Called before each use. */
  checkUsable?(): void;
  /**
   * Writes a new task, if the condition holds at that moment; `input` is JSON. Resolves with whether it was written.
   */
  create(record: TaskRecord, input: string, condition?: KeyCondition): Promise<boolean>;
  /**
   * As `create`, and claims the task for a worker of this process, unless its job is paused or the worker's lease has run out.
   * Resolves with the claimed task, or with whether it was written without a claim. Absent where a claim costs next to nothing.
   */
  start?(record: TaskRecord, input: string, worker: string, condition?: KeyCondition): Promise<E | boolean>;
  /** Reads a task. Resolves with `undefined` if this owner has none of this id. */
  read(id: string, owner: string): Promise<E | undefined>;
  /**
   * Writes a change of a task, with `lines` that are added to its log and, once it is finished, how it ended. Resolves with
   * the entry as it is then, or with `undefined` if the task has changed since it was read; nothing is written then. Rejects
   * with `InvalidValue` for what it can never store.
   */
  change(entry: E, record: TaskRecord, outcome?: Outcome, lines?: readonly LogLine[]): Promise<E | undefined>;
  /**
   * Reads the log of a task, in order. Older lines than a task keeps may be among them, but a store deletes them soon. They
   * are deleted with the task.
   */
  log(entry: E): Promise<readonly LogLine[]>;
  /**
   * As `change`, for the claim of a task whose job has limits: it is made only if the limits allow one more task, also
   * together with simultaneous claims of other processes. For stores whose `Queue.limited` finds tasks without claiming them.
   */
  claim?(entry: E, record: TaskRecord, limits: JobLimits): Promise<E | undefined>;
  /** Reads the recorded steps of a task, in the order of their numbers. Once it is finished, they are deleted. */
  steps(entry: E): Promise<readonly RecordedStep[]>;
  /**
   * Records a step, in place of one with its number, and leaves the task's record as it is. Resolves with whether it did: not
   * if the task has changed since it was read.
   */
  record(entry: E, step: RecordedStep): Promise<boolean>;
  /** Deletes the recorded steps from a number on. */
  forget(entry: E, from: number): Promise<void>;
  /** Reads a task's input; `undefined` if it is lost. */
  input(entry: E): Promise<Json | undefined>;
  /** Reads how a task ended; `undefined` while nothing is stored. */
  outcome(entry: E): Promise<Outcome | undefined>;
  /** Reads up to `limit` of an owner's tasks, the newest first: all, or those before an id. Expired ones may be among them. */
  list(owner: string, before: string | undefined, limit: number): Promise<readonly TaskInfo[]>;
  /** Makes a small write that emits no event. */
  check(): Promise<void>;
  /** For which of these jobs a worker of another process is alive. */
  withWorker(jobs: readonly string[]): Promise<readonly string[]>;
  /** The tasks that wait for a worker. */
  queue(worker: Worker): Queue<E>;
  /** Records that a worker is alive, and which tasks it holds. Absent: workers die with their store. */
  lease?(worker: LeasedWorker, held: () => readonly TaskInfo[]): WorkerLease;
}

/**
 * What a store does for an operator: reads tasks of all owners, and deletes finished ones. Rejects as `Store`. `StoreBackend` adapts
 * it to the `OperatedStore` that `operatorOf` needs.
 */
export interface OperatingStore<E> {
  /** Reads a task of any owner; `undefined` if there is none of this id. */
  find(id: string): Promise<E | undefined>;
  /** The most that the time in a task's id is ahead of its `createdAt`, in ms; more than a minute does not count. */
  ahead(): Promise<number>;
  /**
   * Reads about `limit` tasks that a query asks for, by the newest id first. It uses the best index that it has, and reads a
   * bounded number of tasks, whatever the query is. Some of the tasks may not match: its caller checks them.
   */
  page(query: TaskQuery, limit: number): Promise<FoundTasks>;
  /** Counts the tasks of every job that has any, in any order. Its time does not grow with the number of finished tasks. */
  counts(): Promise<readonly TaskCounts[]>;
  /** Lists the workers that are alive, and the tasks that each holds. Those of this process may be left out. */
  workers(): Promise<readonly WorkerInfo[]>;
  /**
   * Called once a pause of a job is stored, as the document `PAUSED` and the job's name. Resolves when no claim is under way
   * that may not know of it. Absent: each claim reads the document in its own transaction, or only this process claims
   * tasks, and waits for its own claims.
   */
  passClaims?(): Promise<void>;
  /** Deletes one page of finished tasks, with all that is stored about them; `cursor` is `next` of the page before. */
  purge(which: Purged, cursor: string | undefined): Promise<PurgedPage>;
}

/** The tasks that wait for one worker. */
export interface Queue<E extends Entry = Entry> {
  /** Each claim costs a request or a read of a file. Absent: next to nothing. */
  readonly claimsCost?: boolean;
  /**
   * Makes ready what is due, and resolves with when the next delayed task is due, in ms since the epoch, or with `undefined` if
   * there is none. `setBack`: the clock was, or may have been, set back since the last call.
   */
  promote(setBack: boolean): Promise<number | undefined>;
  /**
   * Finds up to `max` tasks of these jobs that are ready: of all of them together the most urgent first, then the oldest. It
   * may claim them, too: their records then name this worker as their holder. `held`: the tasks that the worker holds already,
   * for a store that lists them in its lease.
   */
  ready(max: number, held: readonly TaskInfo[], jobs: readonly string[]): Promise<ReadyTasks<E>>;
  /**
   * As `ready`, of a job with limits: no more than these allow now, over all workers. If it claims the tasks, it does so for
   * all processes one after the other; otherwise `Store.claim` does. Absent: the store keeps no limits.
   */
  limited?(max: number, held: readonly TaskInfo[], job: string, limits: JobLimits): Promise<LimitedTasks<E>>;
  /** Which of these jobs have tasks that are ready: only these are worth a `limited`. Absent: that costs next to nothing. */
  waiting?(jobs: readonly string[]): Promise<readonly string[]>;
}

/** Tasks that a worker may claim. */
export interface ReadyTasks<E extends Entry = Entry> {
  /** The tasks, in the order in which they are to run. */
  readonly entries: readonly E[];
  /** Whether there may be more that this worker may claim: then it searches again at once. */
  readonly more: boolean;
  /** After how many ms to search again even if no event comes. */
  readonly pause?: number;
}

/** Tasks of a job with limits that a worker may claim. */
export interface LimitedTasks<E extends Entry = Entry> extends ReadyTasks<E> {
  /** Whether more may be ready, but all slots of the job are taken. */
  readonly full: boolean;
}

/** The lease of one worker. */
export interface WorkerLease {
  /** How long it lasts, in ms. */
  readonly duration: number;
  /** Says that the worker is alive. */
  renew(): Promise<void>;
  /**
   * Finds the other workers whose lease has run out, and what they hold: also what such a worker, frozen for a while, claims
   * after it was removed, unless the store refuses that.
   */
  dead(): Promise<readonly DeadWorker[]>;
  /** Says that the worker is gone. Others take over what it still holds. */
  end(): Promise<void>;
  /**
   * Whether all tasks that the worker holds have room in its list, for stores that find a dead worker's tasks by one. Called
   * before tasks are claimed, which count as held already.
   */
  hasRoom?(): boolean;
}

/** A worker whose lease has run out. */
export interface DeadWorker {
  /** Its name. */
  readonly name: string;
  /** The tasks that it may hold. */
  readonly tasks: readonly Pick<TaskInfo, "id" | "owner">[];
  /** Forgets it, once its tasks are taken over. */
  remove(): Promise<void>;
}
