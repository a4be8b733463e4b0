/**
 * The backend on Deno KV: durable, without a service, shared by any number of processes of one machine.
 *
 * @module
 */
import type { Backend, NewTask, StreamStore, TaskEvent, TaskPage, WorkHandle, WorkOptions } from "../../backend.ts";
import { BackendError, DefinitionError, TaskFinished, TaskNotReady } from "../../errors.ts";
import { unheard } from "../../log/log_error.ts";
import { type Answer, type FinishedTask, isFinished, type Outcome, type TaskInfo } from "../../task.ts";
import { awaitEnd } from "../shared/await_end.ts";
import * as change from "../shared/record.ts";
import { checkOptions, required, type Rules, text, wholeNumber } from "../../options.ts";
import { Runner } from "../shared/runner.ts";
import { Claims } from "./claims.ts";
import { Committer, reading, untilUnlocked } from "./committer.ts";
import { EventLog } from "./event_log.ts";
import { KvFile, makeFile } from "./file.ts";
import { checkKey, workerKey } from "./keys.ts";
import { isAlive, Lease, type WorkerRecord } from "./lease.ts";
import { refuseTooLarge } from "./room.ts";
import { TaskStore } from "./store.ts";
import { KvStreams } from "./streams.ts";
import { Sweeper } from "./sweeper.ts";

/** What {@linkcode DenoKvBackend.open} takes. */
export interface DenoKvOptions {
  /** The KV file. It is made, with its folder, if it is not there; wake files stand beside it in `<path>.wake/`. */
  readonly path: string;
  /** After how long a silent worker counts as dead, in ms; default 10,000, at least 300. Its tasks then run again. */
  readonly lease?: number;
}

const OPTIONS: Rules<DenoKvOptions> = { path: required(text), lease: wholeNumber(300) };

/** The most tasks that one worker runs at once: their ids stand in one KV value. */
const MAX_CONCURRENCY = 200;

/** For how long what a check has written is kept, in ms. */
const CHECK_KEPT_MS = 60_000;

interface KvWorker {
  readonly jobs: readonly string[];
  readonly claims: Claims;
  readonly runner: Runner;
  readonly stop: (grace: number) => Promise<void>;
}

/**
 * Queues and stores tasks in a Deno KV file. Needs the flag `--unstable-kv`.
 *
 * @example
 * ```ts
 * import { DenoKvBackend } from "@mcp-jobs/mcp-jobs";
 * const folder = await Deno.makeTempDir();
 * await using backend = await DenoKvBackend.open({ path: `${folder}/jobs.kv` });
 * ```
 */
export class DenoKvBackend implements Backend {
  /** Keeps the streams of HTTP sessions. */
  readonly streams: StreamStore;
  readonly #kv: Deno.Kv;
  readonly #file: KvFile;
  readonly #writer: string;
  readonly #lease: number;
  readonly #committer: Committer;
  readonly #store: TaskStore;
  readonly #listeners = new Set<(event: TaskEvent) => void>();
  readonly #workers = new Set<KvWorker>();
  #sweeper: Sweeper | undefined;
  #log: EventLog | undefined;
  #closing: Promise<void> | undefined;

  private constructor(kv: Deno.Kv, path: string, writer: string, lease: number) {
    this.#kv = kv;
    this.#file = new KvFile(path, () => this.#tell({ kind: "gap" })); // Who waits reads, and hears why.
    this.#writer = writer;
    this.#lease = lease;
    this.#committer = new Committer(kv, writer, (tasks) => {
      for (const task of tasks) this.#tell({ kind: "change", task });
      const ready = tasks.some(({ status }) => status === "PENDING" || status === "RETRYING");
      if (ready) this.#wakeWorkers();
      this.#log?.wake(ready);
    }, () => this.#file.checkNow());
    this.#store = new TaskStore(kv, this.#committer);
    this.streams = new KvStreams(kv, this.#committer);
  }

  /**
   * Opens the file. Rejects with `BackendError` if it cannot be opened, or if Deno runs without `--unstable-kv`, and with
   * `DefinitionError` for a path or a `lease` that cannot be.
   */
  static async open(options: DenoKvOptions): Promise<DenoKvBackend> {
    checkOptions("DenoKvBackend.open", options, OPTIONS);
    const { path, lease = 10_000 } = options;
    if (typeof Deno.openKv !== "function") {
      throw new BackendError(
        'Cannot open Deno KV: run deno with --unstable-kv, or put "unstable": ["kv"] into deno.json.',
      );
    }
    if (path === "" || path === ":memory:") {
      throw new DefinitionError(`Cannot open the KV file ${JSON.stringify(path)}: pass a path, or use MemoryBackend.`);
    }
    let kv: Deno.Kv | undefined;
    try {
      await makeFile(path);
      kv = await untilUnlocked(() => Deno.openKv(path)); // Processes that start together meet in a new file.
      const backend = new DenoKvBackend(kv, path, crypto.randomUUID(), lease);
      await backend.#start(path);
      return backend;
    } catch (cause) {
      kv?.close();
      throw new BackendError(`Cannot open the KV file ${path}: ${cause}`, { cause });
    }
  }

  /** Stores a task and queues it. */
  async create(task: NewTask): Promise<TaskInfo> {
    this.#checkOpen();
    change.refuseRoute(task);
    const record = change.created(task, Date.now());
    await this.#store.create(record, task.input);
    return record.info;
  }

  /** Reads a task. */
  async get(id: string, owner: string): Promise<TaskInfo> {
    this.#checkOpen();
    return (await this.#store.find(id, owner)).stored.record.info;
  }

  /** Reads how a finished task ended. */
  async outcome(id: string, owner: string): Promise<Outcome> {
    this.#checkOpen();
    const entry = await this.#store.find(id, owner);
    const { info } = entry.stored.record;
    if (info.status === "CANCELLED") return change.cancelledOutcome(info);
    const outcome = await this.#store.outcome(entry);
    if (outcome === undefined) throw new TaskNotReady(id, info.status);
    return outcome;
  }

  /** Cancels a task; waits up to `wait` ms for the worker's answer. */
  async cancel(id: string, owner: string, wait: number): Promise<FinishedTask> {
    this.#checkOpen();
    let asked = false;
    while (true) {
      const entry = await this.#store.find(id, owner);
      const { record } = entry.stored;
      if (isFinished(record.info)) {
        if (asked) return record.info;
        throw new TaskFinished(id, record.info.status);
      }
      const ask = record.holder !== undefined && !asked;
      const next = ask ? change.stopRequested(record, Date.now()) : change.cancelledNow(record, Date.now());
      const changed = await this.#store.change(entry, next);
      if (changed === undefined) continue;
      if (isFinished(changed.stored.record.info)) return changed.stored.record.info;
      asked = true;
      const ended = await awaitEnd(this, id, owner, wait);
      if (ended) return ended;
    }
  }

  /** Stores answers to a task's open questions. */
  async answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<TaskInfo> {
    this.#checkOpen();
    while (true) {
      const entry = await this.#store.find(id, owner);
      if (isFinished(entry.stored.record.info)) return entry.stored.record.info;
      const answered = change.answered(entry.stored.record, answers, Date.now());
      const changed = await this.#store.change(entry, refuseTooLarge(answered, "the answers of"));
      if (changed) return changed.stored.record.info;
    }
  }

  /** Lists an owner's tasks, the newest first. */
  async list(
    owner: string,
    { cursor, limit }: { readonly cursor?: string; readonly limit: number },
  ): Promise<TaskPage> {
    this.#checkOpen();
    change.refuseCursor(cursor);
    return await this.#store.page(owner, cursor, limit);
  }

  /** Whether the file takes a write. */
  async check(): Promise<void> {
    this.#checkOpen();
    const set = { key: checkKey(this.#writer), value: this.#writer, expireIn: CHECK_KEPT_MS };
    await this.#committer.commit({ sets: [set], bytes: 100 });
  }

  /** Whether a worker for this job is alive. */
  async hasWorker(job: string): Promise<boolean> {
    this.#checkOpen();
    const workers = await reading(() => Array.fromAsync(this.#kv.list<WorkerRecord>({ prefix: workerKey() })));
    return workers.some(({ value }) => isAlive(value, Date.now()) && value.jobs.includes(job));
  }

  /** Listens to every change. */
  watch(listener: (event: TaskEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts to take and run tasks. Throws `DefinitionError` if more than 200 are to run at once. */
  work(options: WorkOptions): WorkHandle {
    this.#checkOpen();
    const { jobs, concurrency } = options;
    if (concurrency > MAX_CONCURRENCY) {
      throw new DefinitionError(
        `Cannot run ${concurrency} tasks at once on Deno KV: ${MAX_CONCURRENCY} is the most. Start another worker.`,
      );
    }
    const shared = { kv: this.#kv, store: this.#store, worker: crypto.randomUUID(), jobs };
    const claims = new Claims({
      ...shared,
      hold: () => void lease.renew().catch(unheard("write down which tasks a worker holds")),
      lose: (id) => runner.lose(id),
    });
    const lease = new Lease({
      ...shared,
      committer: this.#committer,
      duration: this.#lease,
      held: () => claims.held,
      renewed: () => runner.wake(),
    });
    const runner = new Runner(claims, options, lease.ready);
    let stopping: Promise<void> | undefined;
    const stop = (grace: number) => {
      const stopped = runner.stop(grace); // Called again, it shortens the grace.
      return stopping ??= stopped.then(() => lease[Symbol.asyncDispose]()).finally(() => this.#workers.delete(worker));
    };
    const worker: KvWorker = { jobs, claims, runner, stop };
    this.#workers.add(worker);
    return { ready: runner.ready, stop };
  }

  /** Closes the file; workers that still run are stopped without grace. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(path: string): Promise<void> {
    this.#log = await EventLog.open(this.#kv, this.#writer, path, {
      event: (event) => this.#tell(event),
      ready: () => this.#wakeWorkers(),
      look: () => this.#file.check(),
    });
    this.#sweeper = new Sweeper(this.#kv, this.#committer);
  }

  async #close(): Promise<void> {
    await this.#sweeper?.[Symbol.asyncDispose]();
    await Promise.all([...this.#workers].map(({ stop }) => stop(0)));
    await this.#committer.drained();
    await this.#log?.[Symbol.asyncDispose]();
    this.#listeners.clear();
    this.#kv.close();
  }

  #tell(event: TaskEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
    for (const { jobs, claims, runner } of this.#workers) {
      claims.hear(event);
      if (event.kind === "gap") {
        runner.recheck();
        continue;
      }
      runner.receive(event.task);
      // That a task may run now is told by a wake file. When a delayed one may, only its event tells.
      if ("dueAt" in event.task && jobs.includes(event.task.job)) runner.wake();
    }
  }

  #wakeWorkers(): void {
    for (const { runner } of this.#workers) runner.wake();
  }

  #checkOpen(): void {
    if (this.#closing) throw new BackendError("Cannot use the KV file: the backend is closed.");
    this.#file.check();
  }
}
