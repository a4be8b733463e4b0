/**
 * Turns a `Store` into a backend: each call reads records, changes them as `record.ts` says, and writes them back.
 *
 * @module
 */
import type {
  Answered,
  Backend,
  BackendOptions,
  DocumentStore,
  KeyStore,
  LogLine,
  NewTask,
  Operator,
  StreamStore,
  TaskEvent,
  TaskPage,
  WorkHandle,
  WorkOptions,
} from "../../../backend.ts";
import { BackendError, TaskExpired, TaskFinished, TaskNotFound, TaskNotReady } from "../../../errors.ts";
import { isTaskId, NO_TASK, refuseCursor } from "../../../ids.ts";
import { type OnError, reporterOf } from "../../../log/on_error.ts";
import { toText } from "../../../json.ts";
import { operatorOf } from "../../../operator/operator.ts";
import { Pauses } from "../../../operator/pauses.ts";
import type { OperatedStore } from "../../../operator/primitives.ts";
import { type Answer, type FinishedTask, hasExpired, isFinished, type Outcome, type TaskInfo } from "../../../task.ts";
import { countCreated } from "../../../telemetry/metrics.ts";
import { callback, checkOptions, type Rules } from "../../../options.ts";
import { awaitEnd } from "../await_end.ts";
import type { Hub } from "./hub.ts";
import * as change from "../record.ts";
import { refuseRoute } from "../refusals.ts";
import { fillPage } from "./page.ts";
import { createKeyed } from "./keys.ts";
import { operated } from "./operated.ts";
import type { Entry, KeyCondition, Store } from "./store.ts";
import { newestLines } from "../../../task_log/newest_lines.ts";
import { update } from "./update.ts";
import { StoreWorker } from "../claiming/worker.ts";

const OPTIONS: Rules<BackendOptions> = { onError: callback };

/** A backend on a `Store`. A subclass opens the store, and passes it on with the `Hub` that is told of its changes. */
export class StoreBackend implements Backend {
  /** Keeps the streams of HTTP sessions. */
  readonly streams: StreamStore;
  /** Keeps what keys name. */
  readonly keys: KeyStore;
  /** Documents of the system. */
  readonly documents: DocumentStore;
  /** What an operator sees and does. */
  readonly operator: Operator;
  /** Aborts when it closes. */
  readonly closed: AbortSignal;
  readonly #store: Store;
  readonly #hub: Hub;
  readonly #opened: AsyncDisposable;
  readonly #onError: OnError;
  readonly #workers = new Set<StoreWorker>();
  readonly #pauses: Pauses;
  readonly #operated: OperatedStore;
  #closing: Promise<void> | undefined;

  /**
   * `hub` is told of the changes of all processes. `opened` is disposed of when the backend closes. Throws `DefinitionError`
   * for an option that is unknown or cannot be used.
   */
  protected constructor(store: Store, hub: Hub, opened: AsyncDisposable, options: BackendOptions = {}) {
    checkOptions(new.target.name, options, OPTIONS);
    this.#onError = reporterOf(options.onError);
    hub.reportTo(this.#onError);
    this.streams = store.streams;
    const open = () => this.#open();
    this.keys = {
      readKey: async (owner, key) => await open().readKey(owner, key),
      writeKey: async (owner, key, from, to) => await open().writeKey(owner, key, from, to),
    };
    this.documents = {
      read: async (name) => await open().documents.read(name),
      list: async (prefix) => await open().documents.list(prefix),
      write: async (name, from, to) => await open().documents.write(name, from, to),
      watch: (listener) => {
        const event = ({ kind }: TaskEvent) => kind === "gap" && listener(undefined);
        return hub.add({ event, ready() {}, document: listener });
      },
    };
    this.#store = store;
    this.#hub = hub;
    this.closed = hub.closed;
    this.#opened = opened;
    this.#pauses = new Pauses(this.documents, () => hub.ready());
    const here = () => [...this.#workers].map(({ info }) => info);
    this.#operated = operated(open, here);
    this.operator = operatorOf(this, this.#operated, {
      jobs: () => this.#pauses.jobs(),
      resume: (job) => this.#pauses.resume(job),
      pause: async (job) => {
        const queues = await this.#pauses.pause(job);
        // What was claimed meanwhile has begun before.
        const settled = [...this.#workers].map((worker) => worker.settled());
        await Promise.all([store.operating.passClaims?.(), ...settled]);
        return queues;
      },
    });
  }

  /** Stores a task and queues it, unless another one holds its key. */
  async create(task: NewTask, admit?: () => Promise<void>): Promise<TaskInfo> {
    const store = this.#open();
    refuseRoute(task);
    const record = change.created(task, store.now());
    const input = toText(task.input, "The input");
    const create = async (condition?: KeyCondition) => {
      if (!await this.#put(record, input, condition)) return undefined;
      countCreated(task.job);
      return record.info;
    };
    const read = async (id: string) => (await store.read(id, task.owner))?.record.info;
    return await createKeyed(store, { read, create, admit }, task, () => store.now());
  }

  /** Reads a task. */
  async get(id: string, owner: string): Promise<TaskInfo> {
    return (await this.#find(id, owner)).record.info;
  }

  /** Reads how a finished task ended. */
  async outcome(id: string, owner: string): Promise<Outcome> {
    const entry = await this.#find(id, owner);
    const { info } = entry.record;
    if (info.status === "CANCELLED") return change.cancelledOutcome(info);
    const outcome = isFinished(info) ? await this.#store.outcome(entry) : undefined;
    if (outcome === undefined) throw new TaskNotReady(id, info.status);
    return outcome;
  }

  /** Reads the log of a task. */
  async log(id: string, owner: string): Promise<readonly LogLine[]> {
    const entry = await this.#find(id, owner);
    return entry.record.info.logged === undefined ? [] : newestLines(await this.#store.log(entry));
  }

  /** Cancels a task. Waits up to `wait` ms for its worker to confirm. */
  async cancel(id: string, owner: string, wait: number): Promise<FinishedTask> {
    const store = this.#store;
    const asked = await update(store, await this.#find(id, owner), (record) => {
      if (isFinished(record.info)) throw new TaskFinished(id, record.info.status);
      const cancel = record.holder === undefined ? change.cancelledNow : change.stopRequested;
      return { record: cancel(record, store.now()) };
    });
    if (asked && isFinished(asked.record.info)) return asked.record.info;
    const answer = await awaitEnd(this, id, owner, wait);
    if (answer) return answer;
    const ended = await update(store, await store.read(id, owner), (record) => ({
      record: isFinished(record.info) ? record : change.cancelledNow(record, store.now()),
    }));
    if (ended === undefined || !isFinished(ended.record.info)) throw new TaskNotFound(id);
    return ended.record.info;
  }

  /** Stores answers to a task's open questions. */
  async answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<Answered> {
    let counted: readonly string[] = [];
    const entry = await update(this.#store, await this.#find(id, owner), (record) => {
      const now = this.#store.now();
      counted = change.counted(record, answers, now);
      return { record: isFinished(record.info) ? record : change.answered(record, answers, now) };
    });
    if (entry === undefined) throw new TaskNotFound(id);
    return { task: entry.record.info, counted };
  }

  /** Lists an owner's tasks, the newest first. */
  async list(owner: string, page: { readonly cursor?: string | undefined; readonly limit: number }): Promise<TaskPage> {
    const store = this.#open();
    refuseCursor(page.cursor);
    return await fillPage(page, async (before, max) => {
      const found = await store.list(owner, before, max);
      return found.map((task) => ({ id: task.id, task: hasExpired(task, store.now()) ? undefined : task }));
    });
  }

  /** Tries whether a task could be stored now. */
  async check(): Promise<void> {
    await this.#open().check();
  }

  /** Whether a worker for this job is alive. */
  async hasWorker(job: string): Promise<boolean> {
    this.#open();
    return (await this.#operated.withWorker([job])).length > 0;
  }

  /** Listens to every change. */
  watch(listener: (event: TaskEvent) => void): () => void {
    return this.#hub.add({ event: listener, ready() {} });
  }

  /** Starts to claim and run tasks. */
  work(options: WorkOptions): WorkHandle {
    const store = this.#open();
    const onError = options.onError ? reporterOf(options.onError) : this.#onError;
    const worker = new StoreWorker(store, this.#hub, this.#pauses, { ...options, onError });
    this.#workers.add(worker);
    const stop = (grace: number) => worker.stop(grace).finally(() => void this.#workers.delete(worker));
    return { ready: worker.ready, stop };
  }

  /** Closes the backend; workers that still run are stopped without grace. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.stop(0)));
    this.#hub.close();
    await this.#opened[Symbol.asyncDispose]();
  }

  /** Stores a new task, which begins at once if a worker of this process has a free slot. Resolves with whether it was stored. */
  #put(record: change.TaskRecord, input: string, condition?: KeyCondition): Promise<boolean> {
    for (const worker of this.#workers) {
      const started = worker.start(record, input, condition);
      if (started) return started;
    }
    return this.#store.create(record, input, condition);
  }

  /** Reads a task for its owner. Rejects with `TaskNotFound` or `TaskExpired`. */
  async #find(id: string, owner: string): Promise<Entry> {
    const store = this.#open();
    // What is no task id costs the same read, so that nobody learns from the time.
    const entry = await store.read(isTaskId(id) ? id : NO_TASK, owner);
    if (entry === undefined) throw new TaskNotFound(id);
    if (hasExpired(entry.record.info, store.now())) throw new TaskExpired(id);
    return entry;
  }

  /** The store. Throws `BackendError` if this backend is closed, or the store is lost. */
  #open(): Store {
    if (this.#closing) throw new BackendError("Cannot use the backend: it is closed.");
    this.#store.checkUsable?.();
    return this.#store;
  }
}
