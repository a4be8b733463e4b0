/**
 * What the backend needs of a database that BullMQ runs on: BullMQ's own classes bound to it, and our records.
 *
 * @module
 */
import type { Job, Processor, Queue, Worker, WorkerOptions } from "bullmq";
// A peer of BullMQ. Met in an `import()` alone, it would change how npm:bullmq is resolved after its types were, and
// `deno check` without a lock file, as in every new folder, would find no types of BullMQ at all (Deno 2.9).
import type {} from "pg";
import type { NewTask, StreamStore } from "../../backend.ts";
import type { Answer, Json, Question } from "../../task.ts";
import type { Deadline } from "./deadline.ts";
import type { Snapshot } from "./snapshot.ts";

/** BullMQ's module, loaded when the backend connects. */
export type BullMq = typeof import("bullmq");

/** What became of a wish to cancel. `asked`: it runs, and its worker has been asked to stop. */
export type Cancelled = "unknown" | "finished" | "asked" | "cancelled";

/** What is told to all processes: to the workers, and of a queue that has got its first task. */
export type Signal =
  | { readonly kind: "stop" | "answer"; readonly id: string }
  | { readonly kind: "queue"; readonly queue: string; readonly since: number }
  | { readonly kind: "gap" };

/** What a worker at the queue is told. */
export type QueueWorkerOptions = Omit<WorkerOptions, "connection" | "prefix">;

/** A task that is to be read, and for whom: "" is whoever. */
export interface Wanted {
  readonly id: string;
  readonly owner: string;
}

/** Tasks' records, beside the jobs of their queues. All times are by the database's clock where that decides, in ms. */
export interface Records {
  /** The largest result that may stand in the job itself, in UTF-16 units; a larger one is kept apart. */
  readonly maxInline: number;
  /**
   * Stores the record and queues the job, both or neither. Waits for its turn while the store is busy, and rejects if that
   * does not come, when nothing has been sent, or if no answer comes in time for an input of this size. Resolves with when
   * it was stored.
   */
  create(job: Job, queue: string, task: NewTask, size: number): Promise<number>;
  /** The queues that hold tasks. */
  queues(): Promise<readonly string[]>;
  /**
   * Reads where a task stands. Reads that come while one is under way go together; none takes longer than it may. For an
   * owner, everybody else's task is as one that never was: it is not looked at, so that nobody learns from the time.
   */
  read(id: string, owner?: string): Promise<Snapshot | undefined>;
  /** The input, exactly as it was stored. */
  input(job: Job): Promise<Json>;
  /** Reads a finished job's result. */
  result(snapshot: Snapshot): Promise<Json>;
  /**
   * Keeps a large result apart, so that it does not travel with the queue's events; gives what is to stand for it. That of
   * a job that is no task of ours stays where BullMQ puts it.
   */
  keepResult(id: string, run: number, text: string): Promise<Json>;
  /** Cancels a task that is not finished. "ask" asks the worker of one that runs; else that is what is said of its work. */
  cancel(id: string, work: "ask" | "stopped" | "stop_requested"): Promise<Cancelled>;
  /** Which of these tasks somebody wants to stop, or has cancelled. */
  stops(ids: readonly string[]): Promise<readonly string[]>;
  /** Stores that code of the task was given up, and may run on: a cancel then does not say that it has stopped. */
  markAbandoned(id: string): Promise<void>;
  /** Stores that a run is handed back because its worker shuts down. Gives how many runs of the task were. */
  markHandedBack(id: string, run: number): Promise<number>;
  /** Stores that a run ends with a fault. */
  markFault(id: string, run: number, code?: number): Promise<void>;
  /** Stores a question, or gives the answer that there is. */
  ask(id: string, question: Question): Promise<Answer | undefined>;
  /** The answer to a question. */
  answerTo(id: string, key: string): Promise<Answer | undefined>;
  /** Stores the answers to open questions. */
  answer(id: string, answers: { readonly [key: string]: Answer }): Promise<void>;
  /** An owner's task ids before the cursor, the newest first. */
  list(owner: string, cursor: string | undefined, limit: number): Promise<readonly string[]>;
  /** The tasks that may have expired. */
  due(limit: number): Promise<readonly string[]>;
  /** Looks at a task again after so many ms. */
  postpone(id: string, ms: number): Promise<void>;
  /**
   * The result's time is over: deletes job and record, and remembers for a while that it has expired. Gives `false` for a
   * job that runs on although it was cancelled: BullMQ deletes none that a worker holds.
   */
  expire(snapshot: Snapshot): Promise<boolean>;
}

/** Hears that a job may stand elsewhere. `stored`: it was only just put into its queue. */
export type Hear = (id: string, stored: boolean) => void;

/** The events of one queue, as long as it is not closed. */
export interface Following {
  close(): Promise<void>;
}

/** Workers of BullMQ that start and end together. They wait while the database is away. */
export interface Workers {
  /** Starts one. */
  start(name: string, run: Processor, options: QueueWorkerOptions): Worker;
  /** Takes nothing new, and resolves when nothing runs any more. */
  close(): Promise<void>;
  /** Waits for the database no longer: what is still to be written is lost, and `close` resolves. */
  abandon(): Promise<void>;
}

/** A database with BullMQ on it. */
export interface Store {
  readonly records: Records;
  /** How long its answers may take. */
  readonly answers: Deadline;
  /** Keeps the streams of HTTP sessions. */
  readonly streams?: StreamStore;
  /** The module that the database's queues, workers and events come from. */
  readonly bullmq: BullMq;
  /** The queue of this name, for short calls that fail at once while the database is away. */
  queue(name: string): Promise<Queue>;
  /**
   * Listens to a queue's events from this moment on, or from a moment before, by the database's clock in ms. `missed` is
   * called when some may have been lost.
   */
  follow(queue: string, hear: Hear, missed: () => void, since?: number): Promise<Following>;
  /** Prepares to start workers. */
  workers(): Workers;
  /** Writes something small that nobody hears of; rejects where no write is taken. */
  check(): Promise<void>;
  /** Whether a worker of this queue is connected. */
  hasWorker(name: string): Promise<boolean>;
  /** Hears what is told to all processes. Returns the way to stop. */
  listen(listener: (signal: Signal) => void): () => void;
  /** While the database cannot be reached: resolves when it can be again. */
  readonly away: Promise<void> | undefined;
  /** Calls back whenever the database can be reached again. */
  onBack(listener: () => void): void;
  close(): Promise<void>;
}
