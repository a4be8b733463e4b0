/**
 * What exposure strategies and the protocol do with tasks: start, read, wait, answer, cancel and list, for one owner at a
 * time.
 *
 * @module
 */
import { Answering } from "./answering/answering.ts";
import { ExpiredQuestions } from "./answering/expired.ts";
import type { AuditEvent } from "./audit.ts";
import type { Backend, LogLine, TaskPage } from "../backend.ts";
import { doneWithin } from "../waiting.ts";
import { Caller } from "./callers/caller.ts";
import { Callers } from "./callers/callers.ts";
import type { CallOrigin } from "./callers/offers.ts";
import { TaskFeed, type WaitOptions } from "./feed.ts";
import { Guard, type GuardOptions } from "./guard.ts";
import { type OnError, reporterOf } from "../log/on_error.ts";
import { Starting, type StartOptions } from "./starting/starting.ts";
import { listOf } from "./starting/task_keys.ts";
import { Outcomes } from "./outcomes.ts";
import { toJson } from "../json.ts";
import type { RegisteredJob } from "../registry.ts";
import { withoutPerCall } from "../schema/per_call.ts";
import { explainWait } from "./wait_reasons.ts";
import type { Answer, FinishedTask, Outcome, TaskInfo } from "../task.ts";

/** How long calls that have ended may take to cancel their work, in ms. */
const CLOSING_MS = 5_000;

/** How long a cancellation waits for the worker to confirm it, in ms. */
const CANCEL_WAIT_MS = 2_000;

export interface TasksOptions extends GuardOptions {
  /** Receives errors that no caller receives. Default: a line of JSON on stderr. */
  readonly onError?: OnError;
}

/** The tasks of one backend, within the limits of each owner. */
export class Tasks implements Disposable {
  /** Receives errors that no caller receives; it never fails itself. */
  readonly onError: OnError;
  readonly #backend: Backend;
  readonly #feed: TaskFeed;
  readonly #guard: Guard;
  readonly #answering: Answering;
  readonly #expired: ExpiredQuestions;
  readonly #outcomes: Outcomes;
  readonly #offered: ReadonlyMap<string, readonly RegisteredJob[]>;
  readonly #over = new AbortController();
  readonly #callers: Callers;
  readonly #starting: Starting;
  readonly #now: () => number;

  /** Opens the event feed of this process, for a server that offers `jobs`. `now` is the time, in ms since the epoch. */
  constructor(
    backend: Backend,
    now: () => number = Date.now,
    options: TasksOptions = {},
    jobs: readonly RegisteredJob[] = [],
  ) {
    this.onError = reporterOf(options.onError);
    this.#backend = backend;
    this.#now = now;
    this.#offered = Map.groupBy(jobs, ({ job }) => job.name); // One may be offered more than once.
    this.#guard = new Guard(backend, options, now);
    this.#answering = new Answering(backend, this.#guard);
    this.#expired = new ExpiredQuestions(backend, this.#guard, this.onError);
    this.#feed = new TaskFeed(backend, this.onError);
    this.#outcomes = new Outcomes(backend, (job) => {
      return this.#offered.get(job)?.find(({ route }) => route !== undefined)?.job.output;
    }, (owner, characters) => this.#guard.chargeRead(owner, characters));
    this.#callers = new Callers(backend.keys, now, this.onError);
    this.#starting = new Starting(backend, this.#guard, this.#callers, now, this.onError);
  }

  /**
   * Validates the input, stores the task and queues it; or finds the task of an earlier start with the same key. Rejects
   * before anything is stored with `LimitExceeded`, `InvalidInput` or `InvalidValue`, or `ToolError` of a key function.
   */
  start(registered: RegisteredJob, input: unknown, owner: string, options: StartOptions = {}): Promise<TaskInfo> {
    return this.#starting.start(registered, input, owner, options);
  }

  /**
   * A call that is to wait for a task. With an `input`, its task is left to the next call with the same input if the
   * caller goes without an answer.
   */
  caller(registered: RegisteredJob, owner: string, input?: unknown, origin?: CallOrigin): Caller {
    return new Caller(this.#callers, () => {
      try {
        if (input === undefined) return undefined;
        return listOf(registered, withoutPerCall(toJson(input, "the input"), registered.perCall), owner);
      } catch {
        return undefined; // The start gives the error; a call that continues an earlier one may have sent anything.
      }
    }, origin);
  }

  /** Reads a task. Rejects as `Backend.get`, and with `LimitExceeded`. */
  get(id: string, owner: string): Promise<TaskInfo> {
    return this.#guard.audited({ operation: "read", owner, task: id }, async () => {
      this.#guard.read(owner);
      return await this.#backend.get(id, owner);
    });
  }

  /**
   * Resolves with the given task as it is shown. If it waits for a later time, its message says when it starts. If it has
   * waited for 3 s, it says that it waits for its turn, or that no worker for its job is running.
   */
  explain(task: TaskInfo): Promise<TaskInfo> {
    // If the store fails just now, the caller gets the task as it is: a call that has waited for it still gets its handle.
    return explainWait(task, this.#backend, this.#offered, this.#now()).catch((error) => {
      this.onError(error, { where: "find out why a task waits", job: task.job, task: task.id });
      return task;
    });
  }

  /**
   * Reads the outcome of a finished task, as well-formed text. It does not count as a read, because the caller has read the
   * task already. A result from another queue's workers that does not fit the job's `output` becomes a tool error. Rejects
   * as `Backend.outcome`.
   */
  outcome({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">): Promise<Outcome> {
    return this.#guard.audited(
      { operation: "result", owner, task: id },
      () => this.#outcomes.read({ id, owner, job }),
      () => ({ event: "result_read" }),
    );
  }

  /**
   * Reads the log of a task that the caller has read. `pushed`: for a client that is sent each line as it comes, which the
   * audit log leaves out. Rejects as `Backend.log`.
   */
  log({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">, pushed = false): Promise<readonly LogLine[]> {
    const read = () => this.#backend.log(id, owner);
    const asked = { operation: "log", owner, task: id } as const;
    return pushed ? read() : this.#guard.audited(asked, read, () => ({ event: "log_read", job }));
  }

  /**
   * Cancels a task, and waits up to 2 s for its worker to confirm it. `why` is the reason for the audit log, if the owner
   * has not requested it. Rejects as `Backend.cancel`.
   */
  cancel(id: string, owner: string, why?: string): Promise<FinishedTask> {
    return this.#guard.audited(
      { operation: "cancel", owner, task: id },
      () => this.#backend.cancel(id, owner, CANCEL_WAIT_MS),
      ({ job }) => ({ event: "cancelled", job, ...(why && { reason: why }) }),
    );
  }

  /** Refuses to cancel a task whose job does not allow it, or is not offered: writes the audit log, returns the reason. */
  refuseCancel({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">): string {
    const reason = this.#offered.has(job)
      ? `Tasks of ${job} cannot be cancelled.`
      : `This server does not offer ${job}, so it does not cancel tasks of it.`;
    this.#guard.refuse({ operation: "cancel", owner, task: id, job }, reason);
    return reason;
  }

  /** Writes to the audit log that the call of a tool was refused. */
  refuseCall(owner: string, tool: string, reason: string): void {
    this.#guard.refuse({ operation: "create", owner, job: tool }, reason);
  }

  /** Writes to the audit log that a request was refused that concerns no task. */
  refuse(owner: string, operation: AuditEvent["operation"], reason: string): void {
    this.#guard.refuse({ operation, owner }, reason);
  }

  /**
   * Reads a task, and stores what `answersTo` gives for its open questions, by key; the first answer counts, and any other
   * is left out. `by` says who gave them. Rejects as `get`, with what `answersTo` throws, and with `InvalidInput` where an
   * answer does not fit its question, or is too long to be stored; no question is answered then.
   */
  answer(
    id: string,
    owner: string,
    answersTo: (task: TaskInfo) => { readonly [key: string]: Answer },
    by: "person" | "model" = "person",
  ): Promise<TaskInfo> {
    return this.#answering.answer({ id, owner }, answersTo, by);
  }

  /**
   * Answers with `cancel` those of these questions of a task that are open, because nobody can be asked. Does not count as a
   * read of its owner.
   */
  answerForNobody(task: Pick<TaskInfo, "id" | "owner">, keys: readonly string[]): Promise<void> {
    return this.#answering.cancel(task, keys);
  }

  /** Writes to the audit log that an answer was refused. */
  refuseAnswer({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">, reason: string): void {
    this.#guard.refuse({ operation: "answer", owner, task: id, job }, reason);
  }

  /** Lists an owner's tasks, the newest first, up to 100 a page. Rejects as `Backend.list`, and with `LimitExceeded`. */
  list(owner: string, cursor?: string): Promise<TaskPage> {
    return this.#guard.audited({ operation: "list", owner }, async () => {
      this.#guard.read(owner);
      return await this.#backend.list(owner, { cursor, limit: 100 });
    });
  }

  /**
   * Waits until a task is finished, and calls `onChange` on each change before. Rejects as `get`, and with the signal's
   * reason once it aborts.
   */
  wait(id: string, owner: string, signal?: AbortSignal, onChange?: (task: TaskInfo) => void): Promise<FinishedTask> {
    return this.#guard.audited({ operation: "read", owner, task: id }, async () => {
      this.#guard.read(owner);
      return await this.#feed.wait(id, owner, signal, onChange);
    });
  }

  /** As `wait`, for the call that has just stored or read the task: does not count as a read. */
  finish(task: TaskInfo, signal: AbortSignal, onChange?: (task: TaskInfo) => void): Promise<FinishedTask> {
    return this.#feed.finish(task, signal, onChange);
  }

  /**
   * As `finish`, until the task is finished or as the options say. Resolves with its newest state. With `ms` it also resolves
   * when the server shuts down and tasks outlive it: a strategy that cancels what takes too long first looks at `over`.
   */
  waitFrom(task: TaskInfo, options: WaitOptions): Promise<TaskInfo> {
    return this.#feed.waitFrom(task, options);
  }

  /** How long a call may wait for a task so that its client gets an answer in time, in ms; `Infinity` if none was given up. */
  patienceFor(task: Pick<TaskInfo, "id">): number {
    return this.#callers.patience.waitFor(task);
  }

  /** How many tasks have a caller that waits for them or follows them. */
  get watched(): number {
    return this.#feed.size;
  }

  /** Keeps the backend open until a call has ended: it may have to cancel its work after its client is gone. */
  untilClosed<T>(call: Promise<T>): Promise<T> {
    return this.#callers.untilClosed(call);
  }

  /** Resolves once these calls have ended and the audit log is written, or after `ms`; default 5 s. First call `stopWaiting`. */
  async allClosed(ms: number = CLOSING_MS): Promise<void> {
    await doneWithin(this.#callers.close().then(() => this.#expired.written()), ms);
  }

  /** Whether tasks outlive this process. */
  get areKept(): boolean {
    return !this.#backend.volatile;
  }

  /**
   * Ends all waits. If tasks outlive this process, those with a time limit end as if that had passed. All others reject with
   * this reason.
   */
  stopWaiting(reason: Error): void {
    this.#feed.stopWaiting(reason);
    this.#over.abort(reason);
  }

  /** Aborts when the server shuts down and calls `stopWaiting`. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /**
   * Calls `listener` with the state of a task, as given or newer, and then on every change. A task that the store has lost
   * counts as failed. Returns a function that unsubscribes.
   */
  follow(task: TaskInfo, listener: (task: TaskInfo) => void): () => void {
    return this.#feed.follow(task, listener);
  }

  /** Closes the event feed, and forgets what is kept. */
  [Symbol.dispose](): void {
    this.#expired[Symbol.dispose]();
    this.#guard[Symbol.dispose]();
    this.#outcomes[Symbol.dispose]();
    this.#callers[Symbol.dispose]();
    this.#feed[Symbol.dispose]();
  }
}
