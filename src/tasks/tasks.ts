/**
 * The life of tasks as the exposure strategies see it: start, read, wait, cancel, list, for one owner at a time.
 *
 * @module
 */
import type { AuditEvent } from "./audit.ts";
import type { Backend, NewTask, TaskPage } from "../backend.ts";
import { doneWithin } from "../waiting.ts";
import { TaskFeed } from "./feed.ts";
import { Guard, type GuardOptions } from "./guard.ts";
import { InvalidInput, InvalidValue } from "../errors.ts";
import { newTaskId } from "../ids.ts";
import { retryPolicy } from "../job.ts";
import { wellFormed } from "../json.ts";
import { storableAnswer } from "../questions/budget.ts";
import type { RegisteredJob } from "../registry.ts";
import { validate, validateOutput } from "../schema/schema.ts";
import { type Answer, type FinishedTask, type Json, openQuestions, type Outcome, type TaskInfo } from "../task.ts";

/** How long a task may wait before its status says that no worker is there, in ms. */
const QUIET_MS = 3_000;

/** How long calls that are over may take to cancel their work, in ms. */
const CLOSING_MS = 5_000;

/** How long a cancellation waits for the worker's answer, in ms. */
const CANCEL_WAIT_MS = 2_000;

/** The tasks of one backend, as the exposure strategies and the protocol need them. */
export class Tasks implements Disposable {
  readonly #backend: Backend;
  readonly #feed: TaskFeed;
  readonly #guard: Guard;
  readonly #now: () => number;
  readonly #over = new AbortController();
  /** The plain calls that wait. */
  readonly #calls = new Set<Promise<void>>();
  /** The jobs that the server offers, by the name of the job: one may be offered more than once. */
  readonly #jobs: ReadonlyMap<string, readonly RegisteredJob[]>;

  /** Opens the one event feed of this process, for a server that offers `jobs`. `now` is the time, in ms since the epoch. */
  constructor(
    backend: Backend,
    now: () => number = Date.now,
    guard: GuardOptions = {},
    jobs: readonly RegisteredJob[] = [],
  ) {
    this.#backend = backend;
    this.#now = now;
    this.#jobs = Map.groupBy(jobs, ({ job }) => job.name);
    this.#guard = new Guard(backend, guard, now);
    this.#feed = new TaskFeed(backend);
  }

  /**
   * Validates the input, stores the task and queues it. Rejects before anything is stored: with `LimitExceeded`, which
   * is looked at first, `InvalidInput` or `InvalidValue`.
   */
  start(registered: RegisteredJob, input: unknown, owner: string, ttl?: number): Promise<TaskInfo> {
    const { job } = registered;
    const asked = { operation: "create", owner, job: job.name } as const;
    return this.#guard.audited(asked, async () => {
      const json = this.#guard.admit(owner, input, ttl);
      await validate(job.input, json, `input for ${registered.name}`);
      const task = this.#newTask(registered, json, owner, ttl);
      return await this.#guard.create(task, () => this.#backend.create(task));
    }, ({ id }) => ({ event: "created", task: id }));
  }

  /**
   * Reads a task. One of a job that is offered here, and that has waited for a while, says so when no worker is there for
   * it. Rejects as `Backend.get`, and with `LimitExceeded`.
   */
  get(id: string, owner: string): Promise<TaskInfo> {
    return this.#guard.audited({ operation: "read", owner, task: id }, async () => {
      this.#guard.read(owner);
      const task = await this.#backend.get(id, owner);
      if (task.status !== "PENDING" && task.status !== "RETRYING") return task;
      const waitsSince = Math.max(task.updatedAt, task.dueAt ?? 0);
      if (this.#now() - waitsSince < QUIET_MS) return task;
      if (!await this.#lacksWorker(task.job)) return task;
      const waits = `Waiting: no worker for ${task.job} is running. It starts as soon as one does.`;
      // Why it is tried again stays to be read.
      const why = task.status === "RETRYING" ? task.message?.replace(/\.?$/, ". ") ?? "" : "";
      return { ...task, message: `${why}${waits}` };
    });
  }

  /**
   * Reads how a finished task ended, in well-formed text. It was read before, so this does not count as another reading. A
   * result of workers of others that does not fit the job's `output` is a tool error. Rejects as `Backend.outcome`.
   */
  outcome({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">): Promise<Outcome> {
    return this.#guard.audited(
      { operation: "result", owner, task: id },
      async () => await this.#asPromised(job, wellFormed(await this.#backend.outcome(id, owner))),
      () => ({ event: "result_read" }),
    );
  }

  /**
   * Cancels a task, and waits up to 2 s for its worker's answer. `why` tells the audit log of a reason other than that
   * the owner has asked for it. Rejects as `Backend.cancel`.
   */
  cancel(id: string, owner: string, why?: string): Promise<FinishedTask> {
    return this.#guard.audited(
      { operation: "cancel", owner, task: id },
      () => this.#backend.cancel(id, owner, CANCEL_WAIT_MS),
      ({ job }) => ({ event: "cancelled", job, ...(why && { reason: why }) }),
    );
  }

  /** Says that tasks of a job cannot be cancelled, and tells the audit log that a caller was told so. */
  refuseCancel({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">): string {
    const reason = `Tasks of ${job} cannot be cancelled.`;
    this.#guard.refuse({ operation: "cancel", owner, task: id, job }, reason);
    return reason;
  }

  /** Tells the audit log that a caller was refused a tool in the way that he called it. */
  refuseCall(owner: string, tool: string, reason: string): void {
    this.#guard.refuse({ operation: "create", owner, job: tool }, reason);
  }

  /** Tells the audit log that a caller was refused what is no matter of a task. */
  refuse(owner: string, operation: AuditEvent["operation"], reason: string): void {
    this.#guard.refuse({ operation, owner }, reason);
  }

  /**
   * Reads a task, and stores what `answersTo` gives for its open questions, by key; anything else is left out. Rejects as
   * `get`, with what `answersTo` throws, and with `InvalidInput` where an answer does not fit its question, or is too long
   * to be stored; no question is answered then.
   */
  answer(
    id: string,
    owner: string,
    answersTo: (task: TaskInfo) => { readonly [key: string]: Answer },
  ): Promise<TaskInfo> {
    return this.#guard.audited({ operation: "answer", owner, task: id }, async () => {
      this.#guard.read(owner);
      const task = await this.#backend.get(id, owner);
      const answers = answersTo(task);
      const fitting: [key: string, Answer][] = [];
      for (const { key, schema } of openQuestions(task)) {
        const own = Object.hasOwn(answers, key) ? answers[key] : undefined;
        if (own === undefined) continue;
        const answer = storableAnswer(key, own);
        if (answer.action === "accept") await validate(schema, answer.content, `answer to ${key}`);
        fitting.push([key, answer]);
      }
      return fitting.length === 0 ? task : await this.#backend.answer(id, owner, Object.fromEntries(fitting));
    });
  }

  /** Answers questions of a task with `cancel` where its owner cannot be asked. He has not done it: it counts as no reading. */
  answerForNobody({ id, owner }: Pick<TaskInfo, "id" | "owner">, keys: readonly string[]): Promise<TaskInfo> {
    return this.#backend.answer(id, owner, Object.fromEntries(keys.map((key) => [key, { action: "cancel" }])));
  }

  /** Lists an owner's tasks, the newest first, up to 100 a page. Rejects as `Backend.list`, and with `LimitExceeded`. */
  list(owner: string, cursor?: string): Promise<TaskPage> {
    return this.#guard.audited({ operation: "list", owner }, async () => {
      this.#guard.read(owner);
      return await this.#backend.list(owner, { cursor, limit: 100 });
    });
  }

  /**
   * Waits until a task is finished; `onChange` sees the changes on the way. Rejects as `get`, and with the signal's
   * reason once it aborts.
   */
  wait(id: string, owner: string, signal: AbortSignal, onChange?: (task: TaskInfo) => void): Promise<FinishedTask> {
    return this.#guard.audited({ operation: "read", owner, task: id }, async () => {
      this.#guard.read(owner);
      return await this.#feed.wait(id, owner, signal, onChange);
    });
  }

  /** As `wait`, for who has just created the task: that counts as no reading. */
  finish(
    { id, owner }: Pick<TaskInfo, "id" | "owner">,
    signal: AbortSignal,
    onChange?: (task: TaskInfo) => void,
  ): Promise<FinishedTask> {
    return this.#feed.wait(id, owner, signal, onChange);
  }

  /** How many tasks somebody waits for or follows. */
  get watched(): number {
    return this.#feed.size;
  }

  /** Keeps the backend open until a call is over, which may have work to cancel when its client is gone. */
  untilClosed<T>(call: Promise<T>): Promise<T> {
    const over: Promise<void> = call.then(() => {}, () => {}).finally(() => this.#calls.delete(over));
    this.#calls.add(over);
    return call;
  }

  /** Resolves once all calls are over, or after `ms`; default 5 s. Whoever still waits is to be let go before. */
  async allClosed(ms: number = CLOSING_MS): Promise<void> {
    await doneWithin(Promise.all(this.#calls), ms);
  }

  /** Lets all who wait go with an error; the tasks go on. */
  stopWaiting(reason: Error): void {
    this.#feed.stopWaiting(reason);
    this.#over.abort(reason);
  }

  /** Aborts when nobody is to wait any longer. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /**
   * Tells `listener` where a task stands, as given or newer, and then of every change. One that the store has lost is told
   * as failed. Returns the way to stop.
   */
  follow(task: TaskInfo, listener: (task: TaskInfo) => void): () => void {
    return this.#feed.follow(task, listener);
  }

  /** Closes the event feed. */
  [Symbol.dispose](): void {
    this.#guard[Symbol.dispose]();
    this.#feed[Symbol.dispose]();
  }

  /** Whether no queue of a job that is offered here has a worker. */
  async #lacksWorker(job: string): Promise<boolean> {
    const offered = this.#jobs.get(job) ?? [];
    for (const { route } of offered) if (await this.#backend.hasWorker(job, route)) return false;
    return offered.length > 0;
  }

  /**
   * Clients are told the output schema, and take no result that does not fit it. Our own workers have seen to that; those
   * of a queue of others have not.
   */
  async #asPromised(job: string, outcome: Outcome): Promise<Outcome> {
    const schema = this.#jobs.get(job)?.find(({ route }) => route !== undefined)?.job.output;
    if (outcome.kind !== "value" || schema === undefined) return outcome;
    try {
      return { kind: "value", value: await validateOutput(schema, outcome.value, job) };
    } catch (error) {
      if (!(error instanceof InvalidInput || error instanceof InvalidValue)) throw error;
      return { kind: "tool_error", message: error.message };
    }
  }

  #newTask(
    { job, policy, resultTtl, route }: RegisteredJob,
    input: Json,
    owner: string,
    ttl: number | undefined,
  ): NewTask {
    return {
      id: newTaskId(),
      job: job.name,
      owner,
      input,
      resultTtl: ttl === undefined ? resultTtl : Math.max(1, Math.round(ttl)),
      retry: retryPolicy(policy),
      timeout: policy.timeout,
      delay: policy.delay,
      priority: policy.priority,
      route,
    };
  }
}
