/**
 * The backend in memory, for tests and for single-process use. Nothing outlives the process.
 *
 * @module
 */
import type {
  Attempt,
  Backend,
  NewTask,
  ProgressReport,
  StreamStore,
  TaskEvent,
  TaskPage,
  WorkHandle,
  WorkOptions,
} from "../../backend.ts";
import { BackendError, TaskExpired, TaskFinished, TaskNotFound, TaskNotReady } from "../../errors.ts";
import { toText } from "../../json.ts";
import {
  type Answer,
  expiresAt,
  type FinishedTask,
  hasExpired,
  isFinished,
  type Outcome,
  type Question,
  type TaskInfo,
} from "../../task.ts";
import { awaitEnd } from "../shared/await_end.ts";
import { ReadyQueues } from "./queues.ts";
import { MemoryStreams } from "./streams.ts";
import { credibleDue } from "../shared/clock.ts";
import * as change from "../shared/record.ts";
import { type ClaimedTask, type ClaimResult, Runner, type RunnerStore } from "../shared/runner.ts";

interface Stored {
  record: change.TaskRecord;
  readonly input: string;
  /** As JSON text, so that nobody changes a stored result through the object that he gave or got. */
  outcome?: string;
}

interface MemoryWorker {
  readonly runner: Runner;
  readonly jobs: readonly string[];
}

/**
 * Queues and stores tasks in memory.
 *
 * @example
 * ```ts
 * import { MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * ```
 */
export class MemoryBackend implements Backend {
  /** Keeps the streams of HTTP sessions. */
  readonly streams: StreamStore = new MemoryStreams();
  /** Task ids sort by age, and so do the entries. */
  readonly #tasks = new Map<string, Stored>();
  readonly #ready = new ReadyQueues();
  readonly #delayed = new Map<string, change.TaskRecord>();
  readonly #listeners = new Set<(event: TaskEvent) => void>();
  readonly #workers = new Map<string, MemoryWorker>();
  readonly #untold: TaskInfo[] = [];
  #telling = false;
  /** What has expired is looked for each time the number of tasks has doubled. */
  #sweepAt = 1_000;
  #closed = false;

  /** Stores a task and queues it. */
  // deno-lint-ignore require-await
  async create(task: NewTask): Promise<TaskInfo> {
    this.#checkOpen();
    change.refuseRoute(task);
    if (this.#tasks.has(task.id)) {
      throw new Error(`Cannot create task ${task.id}: there is one of this id. Make a new id for each task.`);
    }
    if (this.#tasks.size >= this.#sweepAt) this.#sweep();
    const record = change.created(task, Date.now());
    const stored: Stored = { record, input: toText(task.input, "The input") };
    this.#tasks.set(task.id, stored);
    this.#store(stored, record);
    // As it was stored, though a worker of this process may have taken it already.
    return record.info;
  }

  /** Reads a task. */
  // deno-lint-ignore require-await
  async get(id: string, owner: string): Promise<TaskInfo> {
    return this.#find(id, owner).record.info;
  }

  /** Reads how a finished task ended. */
  // deno-lint-ignore require-await
  async outcome(id: string, owner: string): Promise<Outcome> {
    const { record: { info }, outcome } = this.#find(id, owner);
    if (info.status === "CANCELLED") return change.cancelledOutcome(info);
    if (outcome === undefined) throw new TaskNotReady(id, info.status);
    return JSON.parse(outcome);
  }

  /** Cancels a task; waits up to `wait` ms for the worker's answer. */
  async cancel(id: string, owner: string, wait: number): Promise<FinishedTask> {
    const stored = this.#find(id, owner);
    if (isFinished(stored.record.info)) throw new TaskFinished(id, stored.record.info.status);
    if (stored.record.holder !== undefined) {
      this.#store(stored, change.stopRequested(stored.record, Date.now()));
      const ended = await awaitEnd(this, id, owner, wait);
      if (ended) return ended;
    }
    const end = isFinished(stored.record.info) ? stored.record : change.cancelledNow(stored.record, Date.now());
    if (end !== stored.record) this.#store(stored, end);
    return end.info as FinishedTask; // Its time may be over already.
  }

  /** Stores answers to a task's open questions. */
  // deno-lint-ignore require-await
  async answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<TaskInfo> {
    const stored = this.#find(id, owner);
    if (!isFinished(stored.record.info)) this.#store(stored, change.answered(stored.record, answers, Date.now()));
    return stored.record.info;
  }

  /** Lists an owner's tasks, the newest first. */
  // deno-lint-ignore require-await
  async list(
    owner: string,
    { cursor, limit }: { readonly cursor?: string; readonly limit: number },
  ): Promise<TaskPage> {
    this.#checkOpen();
    change.refuseCursor(cursor);
    this.#sweep();
    const now = Date.now();
    const tasks = [...this.#tasks.values()].map(({ record }) => record.info)
      .filter((task) => task.owner === owner && (cursor === undefined || task.id < cursor) && !hasExpired(task, now))
      .sort((a, b) => a.id < b.id ? 1 : -1).slice(0, limit + 1);
    const page = tasks.slice(0, limit);
    return { tasks: page, nextCursor: tasks.length > limit ? page.at(-1)?.id : undefined };
  }

  /** Whether a task could be stored. */
  check(): Promise<void> {
    return Promise.try(() => this.#checkOpen());
  }

  /** Whether a worker for this job is alive. */
  hasWorker(job: string): Promise<boolean> {
    return Promise.resolve([...this.#workers.values()].some(({ jobs }) => jobs.includes(job)));
  }

  /** Listens to every change. */
  watch(listener: (event: TaskEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts to take and run tasks. */
  work(options: WorkOptions): WorkHandle {
    this.#checkOpen();
    const name = crypto.randomUUID();
    const runner = new Runner(this.#storeOf(name, options.jobs), options, Promise.resolve());
    this.#workers.set(name, { runner, jobs: options.jobs });
    return {
      ready: runner.ready,
      stop: (grace) => runner.stop(grace).finally(() => this.#workers.delete(name)),
    };
  }

  /** Closes the backend and stops its workers without grace. */
  async close(): Promise<void> {
    await Promise.all([...this.#workers.values()].map(({ runner }) => runner.stop(0)));
    this.#closed = true;
    this.#listeners.clear();
    this.#workers.clear();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #storeOf(worker: string, jobs: readonly string[]): RunnerStore {
    const held = (id: string, apply: (stored: Stored) => void) => {
      const stored = this.#tasks.get(id);
      if (stored?.record.holder === worker) apply(stored);
      return Promise.resolve();
    };
    return {
      claim: (max) => Promise.resolve(this.#claim(worker, jobs, max)),
      report: (id: string, report: ProgressReport) =>
        held(id, (stored) => this.#store(stored, change.reported(stored.record, report, Date.now()))),
      ask: async (id: string, question: Question) => {
        const answer = this.#tasks.get(id)?.record.answers?.[question.key];
        if (answer) return answer;
        await held(id, (stored) => this.#store(stored, change.asked(stored.record, question, Date.now())));
      },
      answer: (id: string, key: string) => Promise.resolve(this.#tasks.get(id)?.record.answers?.[key]),
      settle: (id: string, attempt: Attempt) =>
        held(id, (stored) => {
          this.#end(stored, change.settled(stored.record, attempt, Date.now(), Math.random()));
        }),
      handBack: (id: string, abandoned: boolean) =>
        held(id, (stored) => this.#end(stored, change.handedBack(stored.record, abandoned, Date.now()))),
    };
  }

  #claim(worker: string, jobs: readonly string[], max: number): ClaimResult {
    const now = Date.now();
    let dueAt: number | undefined;
    for (const waiting of [...this.#delayed.values()]) {
      const record = credibleDue(waiting, now);
      const own = this.#tasks.get(record.info.id);
      if (own && record !== waiting) this.#store(own, record);
      const due = dueAtOf(record);
      if (due === undefined || due <= now) this.#makeReady(record);
      else dueAt = Math.min(dueAt ?? Infinity, due);
    }
    const claims: ClaimedTask[] = [];
    const ids = this.#ready.first(jobs, max);
    for (const id of ids) {
      const stored = this.#tasks.get(id);
      if (stored === undefined) continue;
      this.#store(stored, change.claimed(stored.record, worker, now));
      claims.push({ task: stored.record.info, input: JSON.parse(stored.input), timeout: stored.record.timeout });
    }
    return { claims, more: ids.length === max, dueAt };
  }

  #end(stored: Stored, { record, outcome }: change.Ended): void {
    stored.outcome = outcome && JSON.stringify(outcome);
    this.#store(stored, record);
  }

  /** The one place where a record changes: stores it, queues it where it belongs, and tells of it. */
  #store(stored: Stored, record: change.TaskRecord): void {
    this.#delayed.delete(record.info.id);
    this.#ready.delete(stored.record);
    stored.record = record;
    const { status } = record.info;
    const delayed = dueAtOf(record) !== undefined;
    if (delayed) this.#delayed.set(record.info.id, record);
    else if (status === "PENDING") this.#makeReady(record);
    this.#untold.push(record.info);
    this.#tellAll();
    for (const { runner } of this.#workers.values()) {
      runner.receive(record.info);
      if (status === "PENDING" || delayed) runner.wake();
    }
  }

  /** In order for everybody, also where a listener changes a task before the next one has heard. */
  #tellAll(): void {
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let task = this.#untold.shift(); task; task = this.#untold.shift()) {
        for (const listener of [...this.#listeners]) listener({ kind: "change", task });
      }
    } finally {
      this.#telling = false;
    }
  }

  #makeReady(record: change.TaskRecord): void {
    this.#delayed.delete(record.info.id);
    this.#ready.add(record);
  }

  #find(id: string, owner: string): Stored {
    this.#checkOpen();
    const stored = this.#tasks.get(id);
    if (stored?.record.info.owner !== owner) throw new TaskNotFound(id);
    if (hasExpired(stored.record.info, Date.now())) throw new TaskExpired(id);
    return stored;
  }

  /** Forgets what has expired long ago. */
  #sweep(): void {
    for (const [id, { record }] of this.#tasks) {
      const end = expiresAt(record.info);
      if (end !== undefined && end + change.EXPIRED_TOLD_MS < Date.now()) this.#tasks.delete(id);
    }
    this.#sweepAt = Math.max(1_000, 2 * this.#tasks.size);
  }

  #checkOpen(): void {
    if (this.#closed) throw new BackendError("Cannot use the memory backend: it is closed.");
  }
}

function dueAtOf({ info }: change.TaskRecord): number | undefined {
  return isFinished(info) ? undefined : info.dueAt;
}
