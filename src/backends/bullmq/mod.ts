/**
 * The backend on BullMQ: durable, shared by any number of machines, and able to use existing BullMQ queues.
 *
 * @module
 */
import type { Queue } from "bullmq";
import type {
  Answered,
  Backend,
  DocumentStore,
  KeyStore,
  LogLine,
  NewTask,
  Operator,
  Route,
  StreamStore,
  TaskEvent,
  TaskPage,
  WorkHandle,
  WorkOptions,
} from "../../backend.ts";
import {
  BackendError,
  DefinitionError,
  JobsError,
  TaskExpired,
  TaskFinished,
  TaskNotFound,
  TaskNotReady,
} from "../../errors.ts";
import { isTaskId, NO_TASK, refuseCursor } from "../../ids.ts";
import { isObject, toText } from "../../json.ts";
import { type Answer, type FinishedTask, isFinished, type Outcome, type TaskInfo } from "../../task.ts";
import { countCreated, countEnded } from "../../telemetry/metrics.ts";
import { type OnError, reporterOf } from "../../log/on_error.ts";
import { operatorOf } from "../../operator/operator.ts";
import { checkOptions } from "../../options.ts";
import { awaitEnd } from "../shared/await_end.ts";
import { Hub } from "../shared/store/hub.ts";
import { createKeyed, type KeyedTasks } from "../shared/store/keys.ts";
import { created } from "../shared/record.ts";
import { fillPage } from "../shared/store/page.ts";
import { refuseMade, refuseNew } from "../shared/refusals.ts";
import { QueueFeed } from "./feed.ts";
import { inTime } from "../shared/deadline.ts";
import { toJob } from "./new_task.ts";
import { messageOf } from "../../text.ts";
import { type BullMqOptions, OPTIONS } from "./options.ts";
import { pausesOn } from "./pauses.ts";
import { operatedOn } from "./redis/operating.ts";
import { RedisStore } from "./redis/store.ts";
import { documentsOn, keysOn, streamsOn } from "./redis/keeping.ts";
import { outcomeOf } from "./result.ts";
import { hasExpired, type Snapshot, toTask } from "./snapshot.ts";
import { sweepExpired } from "./sweeper.ts";
import { BullMqWork } from "./worker/mod.ts";

/** How long a call waits for a reconnect, in ms. */
const RECONNECT_MS = 600;

/**
 * Queues and stores tasks with BullMQ on Redis. BullMQ itself is loaded by `connect`. Each job uses the queue of its
 * name, unless it is registered with another. A worker's concurrency counts for each of its jobs.
 *
 * @example
 * ```ts ignore
 * import { BullMqBackend } from "@mcp-jobs/mcp-jobs";
 * await using backend = await BullMqBackend.connect({ redis: "redis://localhost:6379" });
 * ```
 */
export class BullMqBackend implements Backend {
  /** Tasks can be put into existing queues. */
  readonly routes: boolean = true;
  /** Stores the streams of HTTP sessions, for all servers on the same Redis. */
  readonly streams: StreamStore;
  /** Keeps what keys name. */
  readonly keys: KeyStore;
  /** Documents of the system. */
  readonly documents: DocumentStore;
  /** What an operator sees and does. */
  readonly operator: Operator;
  readonly #store: RedisStore;
  readonly #lease: number;
  readonly #onError: OnError;
  readonly #feed: QueueFeed;
  readonly #sweeper: AsyncDisposable;
  readonly #hub = new Hub();
  /** Aborts when it closes. */
  readonly closed: AbortSignal = this.#hub.closed;
  readonly #works = new Set<BullMqWork>();
  /** The queues that are open and subscribed to. */
  readonly #open = new Map<string, Queue>();
  #closing: Promise<void> | undefined;

  private constructor(store: RedisStore, lease: number, onError: OnError) {
    refuseMade(store instanceof RedisStore, "BullMqBackend.connect({ redis })");
    this.#store = store;
    this.streams = streamsOn(store.scripts, this.#request);
    this.keys = keysOn(store.records, this.#call);
    this.documents = documentsOn(store.scripts, (listener) => store.onSignal(listener), this.#request);
    const find = (id: string) => this.#find(id, "");
    this.operator = operatorOf(this, operatedOn(store, { find, call: this.#call }), pausesOn(store, this.#call));
    this.#lease = lease;
    this.#onError = onError;
    this.#hub.reportTo(onError);
    this.#feed = new QueueFeed(store, (event) => this.#hub.event(event), onError);
    this.#sweeper = sweepExpired(store.records, onError);
  }

  /**
   * Connects. Rejects with `BackendError` if Redis cannot be reached, or does not permit what the backend and its
   * workers need, and with `DefinitionError` for invalid options: a bad URL or `lease`, or `postgres`. Warns on stderr
   * if Redis may delete keys when its memory is full.
   */
  static async connect(options: BullMqOptions): Promise<BullMqBackend> {
    if (isObject(options) && Object.hasOwn(options, "postgres")) {
      throw new DefinitionError("Cannot connect to PostgreSQL with BullMQ: use PostgresBackend.connect({ url }).");
    }
    checkOptions("BullMqBackend.connect", options, OPTIONS);
    const { redis, prefix, lease = 5_000 } = options;
    const onError = reporterOf(options.onError);
    return new BullMqBackend(await RedisStore.open(redis, onError, prefix), lease, onError);
  }

  /** Stores a task and queues it, unless another one holds its key. */
  async create(task: NewTask, admit?: () => Promise<void>): Promise<TaskInfo> {
    refuseNew(task);
    const size = toText(task.input, "The input").length;
    const { id, owner, key, unless, job: name, route: { queue } = { queue: name } } = task;
    const { records, deadline, bullmq } = this.#store;
    return await this.#call(`store a task of ${name}`, async () => {
      const open = this.#open.get(queue) ?? await deadline.wait(this.#follow(queue));
      const create: KeyedTasks["create"] = (condition) =>
        this.#feed.storing(id, async () => {
          const job = toJob(bullmq, open, task);
          const storedAt = await records.create({ job, queue, task, size, condition });
          if (storedAt === undefined) return undefined;
          countCreated(name);
          return created(task, storedAt).info;
        });
      let now = Date.now(); // Until Redis has told the time.
      const read = async (id: string) => {
        const found = await records.read(id, owner);
        now = found?.readAt ?? now;
        return found && !found.expired ? toTask(found) : undefined;
      };
      return await createKeyed(records, { read, create, admit }, { id, owner, key, unless }, () => now);
    });
  }

  /** Reads a task. */
  async get(id: string, owner: string): Promise<TaskInfo> {
    return toTask(await this.#find(id, owner));
  }

  /** Reads how a finished task ended. */
  async outcome(id: string, owner: string): Promise<Outcome> {
    const snapshot = await this.#find(id, owner, { result: true });
    const task = toTask(snapshot);
    if (!isFinished(task)) throw new TaskNotReady(id, task.status);
    return outcomeOf(snapshot, task) ??
      { kind: "value", ...await this.#call("read a result", () => this.#store.records.result(snapshot)) };
  }

  /** Reads the log of a task. */
  async log(id: string, owner: string): Promise<readonly LogLine[]> {
    const { logged } = toTask(await this.#find(id, owner));
    return logged === undefined ? [] : await this.#call("read a log", () => this.#store.records.log(id));
  }

  /** Cancels a task; waits up to `wait` ms for the worker's answer. */
  async cancel(id: string, owner: string, wait: number): Promise<FinishedTask> {
    await this.#find(id, owner);
    const cancel = (work: "ask" | "stop_requested") =>
      this.#call("cancel a task", () => this.#store.records.cancel(id, work));
    let reply = await cancel("ask");
    const asked = reply === "asked";
    if (asked) {
      const ended = await awaitEnd(this, id, owner, wait);
      // The worker may have finished the task before it noticed the request.
      if (ended && ended.status !== "CANCELLED") throw new TaskFinished(id, ended.status);
      if (ended) return ended;
      reply = await cancel("stop_requested");
    }
    const task = toTask(await this.#find(id, owner, { expired: true })); // It may have expired already.
    if (!isFinished(task)) throw new BackendError(`Cannot cancel task ${id}: Redis says ${reply}. Try again.`);
    if (task.status !== "CANCELLED" || reply === "finished" && !asked) throw new TaskFinished(id, task.status);
    if (reply === "cancelled") countEnded(task);
    return task;
  }

  /** Stores answers to a task's open questions. */
  async answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<Answered> {
    const request = { id: isTaskId(id) ? id : NO_TASK, owner, answers };
    const { counted, task } = await this.#call("store an answer", () => this.#store.records.storeAnswers(request));
    return { task: this.#feed.answered(this.#found(id, task), counted.length > 0), counted };
  }

  /** Lists an owner's tasks, the newest first. */
  async list(owner: string, page: { readonly cursor?: string | undefined; readonly limit: number }): Promise<TaskPage> {
    refuseCursor(page.cursor);
    const list = async (before: string | undefined, max: number) => {
      const ids = await this.#store.records.list(owner, before, max);
      return await Promise.all(ids.map(async (id) => {
        const snapshot = await this.#store.records.read(id);
        return { id, task: snapshot && !hasExpired(snapshot) ? toTask(snapshot) : undefined };
      }));
    };
    return await this.#call("list tasks", () => fillPage(page, list));
  }

  /** Rejects if Redis takes no writes. */
  check(): Promise<void> {
    return this.#request("write", () => this.#store.check());
  }

  /** Whether a worker of the job's queues, or of the one that it is sent to, is connected: ours, or another of BullMQ. */
  hasWorker(job: string, route?: Route): Promise<boolean> {
    return this.#request("look for workers", async () => {
      return route ? await this.#store.hasWorker(route.queue) : (await this.#store.withWorker([job])).length > 0;
    });
  }

  /** Calls back with every change. */
  watch(listener: (event: TaskEvent) => void): () => void {
    this.#feed.start();
    return this.#hub.add({ event: listener, ready() {} });
  }

  /** Starts to take and run tasks. */
  work(options: WorkOptions): WorkHandle {
    this.#checkOpen();
    const onError = options.onError ? reporterOf(options.onError) : this.#onError;
    const work = new BullMqWork(this.#store, { ...options, onError, lease: this.#lease });
    this.#works.add(work);
    return { ready: work.ready, stop: (grace) => work.stop(grace).finally(() => this.#works.delete(work)) };
  }

  /** Closes the connections; workers that still run are stopped without grace. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#works].map((work) => work.stop(0)));
    // They may wait for an answer that never comes; closing the connection ends that.
    const idle = Promise.all([this.#sweeper[Symbol.asyncDispose](), this.#feed.close()]);
    this.#hub.close();
    await this.#store.close();
    await idle;
  }

  async #find(id: string, owner: string, { expired = false, result = false } = {}): Promise<Snapshot> {
    // An invalid id costs the same read, so that the time reveals nothing.
    const read = () => this.#store.records.read(isTaskId(id) ? id : NO_TASK, owner, result);
    return this.#found(id, await this.#call("read a task", read), expired);
  }

  /** Returns the task that was read. Throws if there is none, or if it has expired and `expired` is not set. */
  #found(id: string, snapshot: Snapshot | undefined, expired = false): Snapshot {
    if (snapshot === undefined) throw new TaskNotFound(id);
    if (snapshot.expired || !expired && hasExpired(snapshot)) throw new TaskExpired(id);
    this.#feed.seen(snapshot.queue);
    return snapshot;
  }

  /** Subscribes to a queue, and opens it. */
  async #follow(queue: string): Promise<Queue> {
    await this.#feed.follow(queue);
    const opened = await this.#store.queue(queue);
    this.#open.set(queue, opened);
    return opened;
  }

  /** Calls Redis once, with its deadline. */
  readonly #request = <T>(what: string, act: () => Promise<T>): Promise<T> =>
    this.#call(what, () => this.#store.deadline.wait(act()));

  /** Runs calls to Redis that have their own deadlines; an error becomes a `BackendError`. */
  readonly #call = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    this.#checkOpen();
    try {
      const { reconnected } = this.#store;
      if (reconnected) await inTime(reconnected, "it is not connected", RECONNECT_MS);
      return await act();
    } catch (cause) {
      if (cause instanceof JobsError) throw cause;
      throw new BackendError(`Cannot ${what}: Redis failed: ${messageOf(cause)}`, { cause });
    }
  };

  #checkOpen(): void {
    if (this.#closing) throw new BackendError("Cannot use BullMQ: the backend is closed.");
  }
}
