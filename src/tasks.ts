/**
 * The life of tasks as the exposure strategies see it: start, read, wait, cancel, list, for one owner at a time.
 *
 * @module
 */
import type { Backend, TaskPage } from "./backend.ts";
import { TaskFeed } from "./feed.ts";
import { newTaskId } from "./ids.ts";
import { retryPolicy } from "./job.ts";
import type { RegisteredJob } from "./registry.ts";
import { toJson } from "./json.ts";
import { validate } from "./schema.ts";
import type { Answer, FinishedTask, Outcome, TaskInfo } from "./task.ts";

/** How long a task may wait before its status says that no worker is there, in ms. */
const QUIET_MS = 3_000;

/** How long a cancellation waits for the worker's answer, in ms. */
const CANCEL_WAIT_MS = 2_000;

/** The longest time that a client may ask to keep a result, in ms: 7 days. */
const MAX_TTL_MS = 7 * 24 * 3_600_000;

/** The tasks of one backend, as the exposure strategies and the protocol need them. */
export class Tasks implements Disposable {
  readonly #backend: Backend;
  readonly #feed: TaskFeed;
  readonly #now: () => number;

  /** Opens the one event feed of this process. `now` tells the time, in ms since the epoch. */
  constructor(backend: Backend, now: () => number = Date.now) {
    this.#backend = backend;
    this.#now = now;
    this.#feed = new TaskFeed(backend);
  }

  /** Validates the input, stores the task and queues it. Rejects with `InvalidInput` before anything is stored. */
  async start(registered: RegisteredJob, input: unknown, owner: string, ttl?: number): Promise<TaskInfo> {
    const { job, policy, resultTtl } = registered;
    await validate(job.input, input, `input for ${registered.name}`);
    return await this.#backend.create({
      id: newTaskId(),
      job: job.name,
      owner,
      input: toJson(input, "the input"),
      resultTtl: ttl === undefined ? resultTtl : Math.min(MAX_TTL_MS, Math.max(1, Math.round(ttl))),
      retry: retryPolicy(policy),
      timeout: policy.timeout,
      delay: policy.delay,
      priority: policy.priority,
    });
  }

  /** Reads a task. One that has waited for a while says so when no worker is there for it. */
  async get(id: string, owner: string): Promise<TaskInfo> {
    const task = await this.#backend.get(id, owner);
    if (task.status !== "PENDING" || this.#now() - task.updatedAt < QUIET_MS) return task;
    if (await this.#backend.hasWorker(task.job)) return task;
    return { ...task, message: `Waiting: no worker for ${task.job} is running. It starts as soon as one does.` };
  }

  /** Reads how a finished task ended. */
  outcome(id: string, owner: string): Promise<Outcome> {
    return this.#backend.outcome(id, owner);
  }

  /** Cancels a task. */
  cancel(id: string, owner: string): Promise<FinishedTask> {
    return this.#backend.cancel(id, owner, CANCEL_WAIT_MS);
  }

  /**
   * Stores answers to a task's open questions, by key; anything else is left out. Rejects with `InvalidInput` where one
   * does not fit its question, which then stays open.
   */
  async answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<TaskInfo> {
    const task = await this.#backend.get(id, owner);
    for (const { key, schema } of "questions" in task ? task.questions ?? [] : []) {
      const answer = Object.hasOwn(answers, key) ? answers[key] : undefined;
      if (answer?.action === "accept") await validate(schema, answer.content, `answer to ${key}`);
    }
    return await this.#backend.answer(id, owner, answers);
  }

  /** Lists an owner's tasks, the newest first. */
  list(owner: string, cursor?: string): Promise<TaskPage> {
    return this.#backend.list(owner, { cursor, limit: 100 });
  }

  /** Waits until a task is finished; `onChange` sees the changes on the way. */
  wait(id: string, owner: string, signal: AbortSignal, onChange?: (task: TaskInfo) => void): Promise<FinishedTask> {
    return this.#feed.wait(id, owner, signal, onChange);
  }

  /** Tells `listener` where a task stands and then of every change. Returns the way to stop. */
  follow(task: Pick<TaskInfo, "id" | "owner">, listener: (task: TaskInfo) => void): () => void {
    return this.#feed.follow(task, listener);
  }

  /** Closes the event feed. */
  [Symbol.dispose](): void {
    this.#feed[Symbol.dispose]();
  }
}
