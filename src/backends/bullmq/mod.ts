/**
 * The backend on BullMQ: durable, shared by any number of machines, and at home on queues that are there already.
 *
 * @module
 */
import type { Queue } from "bullmq";
import type {
  Backend,
  NewTask,
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
import { isTaskId, NO_TASK } from "../../ids.ts";
import { toText } from "../../json.ts";
import { type Answer, type FinishedTask, isFinished, type Outcome, type TaskInfo } from "../../task.ts";
import { checkOptions, required, type Rules, text, wholeNumber } from "../../options.ts";
import { awaitEnd } from "../shared/await_end.ts";
import { cancelledOutcome } from "../shared/record.ts";
import { refuseCursor, refuseNew } from "../shared/refusals.ts";
import { QueueFeed } from "./feed.ts";
import { inTime } from "./deadline.ts";
import { newSnapshot, toJob } from "./new_task.ts";
import { messageOf } from "../../text.ts";
import { opened } from "./connect.ts";
import { RedisStore } from "./redis/store.ts";
import { failureOf, hasExpired, type Snapshot, toTask } from "./snapshot.ts";
import type { Store } from "./database.ts";
import { Sweeper } from "./sweeper.ts";
import { QueueWork } from "./worker/mod.ts";

/** What {@linkcode BullMqBackend.connect} takes. */
export interface BullMqOptions {
  /** The Redis, as `redis://user:password@host:port/database`, or `rediss://` with TLS. */
  readonly redis: string;
  /** The prefix of BullMQ's keys; default `bull`, as BullMQ's own. Ours stand below it, in `<prefix>:mcp-jobs:`. */
  readonly prefix?: string;
  /** After how long a silent worker counts as dead, in ms; default 5,000, at least 300. Its tasks then run again. */
  readonly lease?: number;
}

const OPTIONS: Rules<BullMqOptions> = { redis: required(text), prefix: text, lease: wholeNumber(300) };

/** How long a call waits for the connection, which may just be on its way, in ms. */
const READY_MS = 600;

/**
 * Queues and stores tasks with BullMQ on Redis. BullMQ itself is loaded by `connect`. Each job has the
 * queue of its name, unless it was registered with another. A worker's concurrency counts for each of its jobs.
 *
 * @example
 * ```ts ignore
 * import { BullMqBackend } from "@mcp-jobs/mcp-jobs";
 * await using backend = await BullMqBackend.connect({ redis: "redis://localhost:6379" });
 * ```
 */
export class BullMqBackend implements Backend {
  /** Queues of others are its own as well. */
  readonly routes: boolean = true;
  /** Keeps the streams of HTTP sessions, for all servers on the same Redis. */
  readonly streams?: StreamStore;
  readonly #store: Store;
  readonly #lease: number;
  readonly #feed: QueueFeed;
  readonly #sweeper: Sweeper;
  readonly #listeners = new Set<(event: TaskEvent) => void>();
  readonly #works = new Set<QueueWork>();
  /** The queues that are listened to. */
  readonly #open = new Map<string, Queue>();
  #closing: Promise<void> | undefined;

  private constructor(store: Store, lease: number) {
    this.#store = store;
    this.streams = store.streams && this.#guarded(store.streams);
    this.#lease = lease;
    this.#feed = new QueueFeed(store, (event) => {
      for (const listener of [...this.#listeners]) listener(event);
    });
    this.#sweeper = new Sweeper(store.records);
  }

  /**
   * Connects. Rejects with `BackendError` if Redis cannot be reached, or does not permit what the backend and its workers
   * need, and with `DefinitionError` for options that cannot be: a bad URL or `lease`, or `postgres`. Warns on stderr of
   * a Redis that deletes keys when its memory is full.
   */
  static async connect(options: BullMqOptions): Promise<BullMqBackend> {
    if (Object.hasOwn(options, "postgres")) {
      throw new DefinitionError("Cannot connect to PostgreSQL with BullMQ: use PostgresBackend.connect({ url }).");
    }
    checkOptions("BullMqBackend.connect", options, OPTIONS);
    const { redis, prefix, lease = 5_000 } = options;
    return new BullMqBackend(await opened(redis, () => RedisStore.open(redis, prefix)), lease);
  }

  /** Stores a task and queues it. */
  async create(task: NewTask): Promise<TaskInfo> {
    refuseNew(task);
    const size = toText(task.input, "The input").length;
    const queue = task.route?.queue ?? task.job;
    return await this.#call(`store a task of ${task.job}`, async () => {
      const open = this.#open.get(queue) ?? await this.#store.answers.meet(this.#follow(queue));
      const job = toJob(this.#store.bullmq, open, task);
      return await this.#feed.storing(task.id, async () => {
        const storedAt = await this.#store.records.create(job, queue, task, size);
        return toTask(newSnapshot(task, queue, storedAt));
      });
    });
  }

  /** Reads a task. */
  async get(id: string, owner: string): Promise<TaskInfo> {
    return toTask(await this.#find(id, owner));
  }

  /** Reads how a finished task ended. */
  async outcome(id: string, owner: string): Promise<Outcome> {
    const snapshot = await this.#find(id, owner);
    const task = toTask(snapshot);
    if (task.status === "CANCELLED") return cancelledOutcome(task);
    if (!isFinished(task)) throw new TaskNotReady(id, task.status);
    if (task.status === "FAILED") return failureOf(snapshot);
    const value = await this.#ask("read a result", () => this.#store.records.result(snapshot));
    return { kind: "value", value };
  }

  /** Cancels a task; waits up to `wait` ms for the worker's answer. */
  async cancel(id: string, owner: string, wait: number): Promise<FinishedTask> {
    await this.#find(id, owner);
    const cancel = (work: "ask" | "stop_requested") =>
      this.#ask("cancel a task", () => this.#store.records.cancel(id, work));
    let done = await cancel("ask");
    const asked = done === "asked";
    if (asked) {
      const ended = await awaitEnd(this, id, owner, wait);
      // A worker that does not hear of the wish may finish the task meanwhile.
      if (ended && ended.status !== "CANCELLED") throw new TaskFinished(id, ended.status);
      if (ended) return ended;
      done = await cancel("stop_requested");
    }
    const task = toTask(await this.#find(id, owner, { expired: true })); // Its time may be over already.
    if (!isFinished(task)) throw new BackendError(`Cannot cancel task ${id}: the store says ${done}. Try again.`);
    if (task.status !== "CANCELLED" || done === "finished" && !asked) throw new TaskFinished(id, task.status);
    return task;
  }

  /** Stores answers to a task's open questions. */
  async answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<TaskInfo> {
    await this.#find(id, owner);
    await this.#ask("store an answer", () => this.#store.records.answer(id, answers));
    return await this.get(id, owner);
  }

  /** Lists an owner's tasks, the newest first. */
  async list(
    owner: string,
    { cursor, limit }: { readonly cursor?: string; readonly limit: number },
  ): Promise<TaskPage> {
    refuseCursor(cursor);
    const { records, answers } = this.#store;
    return await this.#call("list tasks", async () => {
      const tasks: TaskInfo[] = [];
      let before = cursor;
      while (true) {
        const ids = await answers.meet(records.list(owner, before, limit + 1));
        for (const snapshot of await Promise.all(ids.map((id) => records.read(id)))) {
          if (snapshot === undefined || hasExpired(snapshot)) continue;
          if (tasks.length === limit) return { tasks, nextCursor: tasks.at(-1)?.id };
          tasks.push(toTask(snapshot));
        }
        if (ids.length <= limit) return { tasks };
        before = ids.at(-1);
      }
    });
  }

  /** Whether the store takes a write. */
  check(): Promise<void> {
    return this.#ask("write", () => this.#store.check());
  }

  /** Whether a worker for this job, or of the queue that it is sent to, is connected: ours, or another of BullMQ. */
  hasWorker(job: string, route?: Route): Promise<boolean> {
    return this.#ask("look for workers", () => this.#store.hasWorker(route?.queue ?? job));
  }

  /** Listens to every change. */
  watch(listener: (event: TaskEvent) => void): () => void {
    this.#feed.start();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts to take and run tasks. */
  work(options: WorkOptions): WorkHandle {
    this.#checkOpen();
    const work = new QueueWork(this.#store, { ...options, lease: this.#lease });
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
    // What they wait for may never be answered; it ends with its connection.
    const idle = Promise.all([this.#sweeper[Symbol.asyncDispose](), this.#feed.close()]);
    this.#listeners.clear();
    await this.#store.close();
    await idle;
  }

  async #find(id: string, owner: string, { expired = false } = {}): Promise<Snapshot> {
    return await this.#call("read a task", async () => {
      // What is no id of ours costs the same read, so that nobody learns from the time.
      const snapshot = await this.#store.records.read(isTaskId(id) ? id : NO_TASK, owner);
      if (snapshot === undefined) throw new TaskNotFound(id);
      if (snapshot.expired || !expired && hasExpired(snapshot)) throw new TaskExpired(id);
      this.#feed.meet(snapshot.queue);
      return snapshot;
    });
  }

  #guarded(streams: StreamStore): StreamStore {
    return {
      append: (stream, event, ttl) => this.#ask("keep a message", () => streams.append(stream, event, ttl)),
      readAfter: (stream, id) => this.#ask("read messages", () => streams.readAfter(stream, id)),
      clear: (stream) => this.#ask("forget messages", () => streams.clear(stream)),
    };
  }

  /** Listens to the queue, and opens it. */
  async #follow(queue: string): Promise<Queue> {
    await this.#feed.follow(queue);
    const opened = await this.#store.queue(queue);
    this.#open.set(queue, opened);
    return opened;
  }

  /** Asks the store one thing, which it has to answer in time. */
  #ask<T>(what: string, act: () => Promise<T>): Promise<T> {
    return this.#call(what, () => this.#store.answers.meet(act()));
  }

  /** Runs calls to the store that keep to their time; what goes wrong there becomes a `BackendError`. */
  async #call<T>(what: string, act: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    try {
      const { away } = this.#store;
      if (away) await inTime(away, "it is not connected", READY_MS);
      return await act();
    } catch (cause) {
      if (cause instanceof JobsError) throw cause;
      throw new BackendError(`Cannot ${what}: the queue's store failed: ${messageOf(cause)}`, { cause });
    }
  }

  #checkOpen(): void {
    if (this.#closing) throw new BackendError("Cannot use BullMQ: the backend is closed.");
  }
}
