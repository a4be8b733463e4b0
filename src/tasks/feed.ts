/**
 * One feed per process: distributes the backend's events to the subscribers of single tasks. Nothing polls; as a safety
 * net, a watched task is read again after 30 s without an event.
 *
 * @module
 */
import type { Backend, TaskEvent } from "../backend.ts";
import { type JobsError, StoreLost, TaskNotFound } from "../errors.ts";
import { CALL_A_LISTENER, type OnError, reporterOf } from "../log/on_error.ts";
import { inThisContext } from "../telemetry/spans.ts";
import type { AuditSource } from "./audit.ts";
import { fromSource, presentSource } from "./audit_source.ts";
import { Rereads } from "./rereads.ts";
import { type FailedTask, type FinishedTask, isFinished, type LiveTask, type TaskInfo } from "../task.ts";
import { isNewer, orderOf, remember } from "../recent.ts";
import { LONGEST_TIMER_MS, onAbort } from "../waiting.ts";

type Listener = (task: TaskInfo) => void;

/** The pause before a failed read is tried again, in ms. */
const READ_RETRY_MS = 500;

/** After how long without an event a watched task is read again, in ms; at most one read per task in that time. */
const REREAD_MS = 30_000;

/** How many tasks' newest states are remembered: enough for a call to start waiting for the task that it has stored. */
const REMEMBERED = 256;

/** A wait that ends so much later than its time, in ms, stood still with its process; events of its task may be late, too. */
export const LATE_MS = 1_000;

interface Watcher {
  readonly listener: Listener;
  /** The source of its request. A change comes from that of any other. */
  readonly source: AuditSource;
  readonly onError: (error: JobsError) => void;
  /** Ends a wait: called with the reason by `stopWaiting`. */
  readonly onStop?: (reason: unknown) => void;
  /** The newest state that it has seen, or need not see, as `orderOf` counts. */
  seen: number;
}

/** What ends a wait, besides the end of its task. */
export interface WaitOptions {
  /** Ends it with the signal's reason. Default: nothing does but `stopWaiting`. */
  readonly signal?: AbortSignal;
  /** Called on each change before the end. */
  readonly onChange?: (task: TaskInfo) => void;
  /** Ends it after this time, in ms, and when the server shuts down: then `Tasks.over` has aborted. Default: never. */
  readonly ms?: number;
  /** It goes on only while this is true of the task. Default: always. */
  readonly condition?: (task: TaskInfo) => boolean;
}

/** A task with at least one watcher, for one owner. */
interface Watched {
  readonly id: string;
  readonly owner: string;
  readonly watchers: Set<Watcher>;
  /** The timer of the next read, after one has failed. */
  retry?: ReturnType<typeof setTimeout>;
}

/** Distributes the events of one backend to the watchers of single tasks. */
export class TaskFeed implements Disposable {
  readonly #backend: Backend;
  readonly #report: OnError;
  readonly #watched = new Map<string, Watched>();
  /** The newest states of the tasks that have changed last: there may be no later event of such a task. */
  readonly #recent = new Map<string, TaskInfo>();
  readonly #rereads: Rereads<Watched>;
  #stopped: Error | undefined;
  readonly #stop: () => void;

  /** `reread`: after how long without an event a watched task is read again, in ms. */
  constructor(backend: Backend, onError?: OnError, reread: number = REREAD_MS) {
    this.#report = reporterOf(onError);
    this.#backend = backend;
    this.#rereads = new Rereads((watched) => this.#read(watched), reread);
    this.#stop = backend.watch((event) => this.#receive(event));
  }

  get size(): number {
    return this.#watched.size;
  }

  /**
   * Calls `listener` on every change of a task from now on, in order, once each. Calls `onError` if the task or its whole
   * store is gone, and nothing after that. Returns a function that unsubscribes.
   */
  watch(
    task: Pick<TaskInfo, "id" | "owner">,
    listener: Listener,
    onError: (error: JobsError) => void = () => {},
  ): () => void {
    return this.#add(task, { listener: inThisContext(listener), onError, seen: 0 });
  }

  /**
   * As `watch`, but also calls `listener` with the present state. It subscribes first and reads then, so that no change is
   * missed, and reads again later if that fails. States older than the given one are skipped, since events can be late. If
   * the store has lost the task, the last change is that it failed for that reason.
   */
  follow(task: TaskInfo, listener: Listener): () => void {
    let last = task;
    const inContext = inThisContext(listener);
    const listen = (now: TaskInfo) => {
      last = now;
      inContext(now);
    };
    const onError = ({ message }: JobsError) => {
      if (!isFinished(last)) inContext(lost(last, message));
    };
    const stop = this.#add(task, { listener: listen, onError, seen: orderOf(task) - 1 });
    const watched = this.#watched.get(keyOf(task));
    if (watched) void this.#read(watched);
    return stop;
  }

  /**
   * Waits until a task is finished, and calls `onChange` on each change before. Rejects as `Backend.get`, and with the
   * signal's reason once it aborts.
   */
  async wait(id: string, owner: string, signal?: AbortSignal, onChange?: Listener): Promise<FinishedTask> {
    return asFinished(await this.#wait({ id, owner }, { signal, onChange }, undefined));
  }

  /** As `wait`, for a task that the caller has just stored or read. */
  async finish(task: TaskInfo, signal: AbortSignal, onChange?: Listener): Promise<FinishedTask> {
    return asFinished(await this.waitFrom(task, { signal, onChange }));
  }

  /** As `finish`, until the task is finished or as the options say. Resolves with its newest state. */
  waitFrom(task: TaskInfo, options: WaitOptions): Promise<TaskInfo> {
    const recent = this.#recent.get(keyOf(task));
    return this.#wait(task, options, task, recent && !isNewer(task, recent) ? recent : undefined);
  }

  /**
   * Subscribes first and reads then, unless its state is `known`. Resolves with the newest state, from `newest` on. It is
   * not an async function, because thousands of calls wait in it and each would take half a KB more.
   */
  #wait<T extends TaskInfo | undefined>(
    task: Pick<TaskInfo, "id" | "owner">,
    { signal, onChange, ms, condition = () => true }: WaitOptions,
    newest: T | TaskInfo,
    known?: TaskInfo,
  ): Promise<T | TaskInfo> {
    const resolves = ms !== undefined && !this.#backend.volatile;
    if (this.#stopped) return resolves ? Promise.resolve(newest) : Promise.reject(this.#stopped);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<T | TaskInfo>();
    const end = () => {
      stop();
      clearTimeout(timer);
      forget?.();
    };
    const fail = (reason: unknown) => {
      end();
      reject(reason);
    };
    const enough = () => {
      end();
      resolve(newest);
    };
    const listener = inThisContext((now: TaskInfo) => {
      newest = now;
      if (!isFinished(now)) onChange?.(now);
      if (isFinished(now) || !condition(now)) enough();
    });
    const stop = this.#add(task, { listener, onError: fail, onStop: resolves ? enough : fail, seen: 0 });
    const due = Date.now() + (ms ?? 0);
    const timeUp = () => {
      if (Date.now() - due <= LATE_MS) enough();
      // If it cannot be read, it ends with what is known.
      else this.#backend.get(task.id, task.owner).then((now) => this.#deliver(now), () => {}).then(enough);
    };
    const timer = ms === undefined ? undefined : setTimeout(timeUp, Math.min(ms, LONGEST_TIMER_MS));
    const forget = signal && onAbort(signal, () => fail(signal.reason));
    if (known) this.#deliver(known);
    else this.#backend.get(task.id, task.owner).then((now) => this.#deliver(now), fail);
    return promise;
  }

  /**
   * Ends every wait, present and future: one with a time limit as if that had passed, because its caller learns how to come
   * back, unless the task ends with this process. Any other rejects with this reason.
   */
  stopWaiting(reason: Error): void {
    this.#stopped = reason;
    for (const { watchers } of [...this.#watched.values()]) {
      for (const { onStop } of [...watchers]) onStop?.(reason);
    }
  }

  [Symbol.dispose](): void {
    this.#stop();
    for (const { retry } of this.#watched.values()) clearTimeout(retry);
    this.#watched.clear();
    this.#rereads[Symbol.dispose]();
  }

  #receive(event: TaskEvent): void {
    if (event.kind === "change") return this.#deliver(event.task);
    this.#recent.clear();
    for (const watched of this.#watched.values()) void this.#read(watched);
  }

  /** Reads a watched task. There are no events of a task that is gone, so its watchers learn it here. */
  async #read(watched: Watched): Promise<void> {
    this.#rereads.saw(watched);
    const before = [...watched.watchers].map((watcher) => [watcher, watcher.seen] as const);
    await this.#backend.get(watched.id, watched.owner).then((task) => {
      const order = orderOf(task);
      for (const [watcher, seen] of before) {
        // Nothing later has come since: a failover has lost what it has seen after this state.
        if (order < seen && watcher.seen === seen) watcher.seen = order - 1;
      }
      this.#deliver(task);
    }, (error) => {
      const gone = error instanceof TaskNotFound || error instanceof StoreLost;
      if (!gone) return this.#readLater(watched, error);
      for (const watcher of [...watched.watchers]) {
        this.#forget(watched, watcher);
        this.#tell(watched, () => watcher.onError(error));
      }
    });
  }

  #readLater(watched: Watched, error: unknown): void {
    if (this.#watched.get(keyOf(watched)) !== watched) return;
    this.#report(error, { where: "read a task that somebody waits for", task: watched.id });
    watched.retry ??= setTimeout(() => {
      watched.retry = undefined;
      void this.#read(watched);
    }, READ_RETRY_MS);
  }

  #add({ id, owner }: Pick<TaskInfo, "id" | "owner">, added: Omit<Watcher, "source">): () => void {
    const watcher = { ...added, source: presentSource() };
    const key = keyOf({ id, owner });
    const watched = this.#watched.get(key) ?? { id, owner, watchers: new Set() };
    watched.watchers.add(watcher);
    this.#watched.set(key, watched);
    this.#rereads.saw(watched);
    return () => this.#forget(watched, watcher);
  }

  #forget(watched: Watched, watcher: Watcher): void {
    if (!watched.watchers.delete(watcher) || watched.watchers.size > 0) return;
    this.#watched.delete(keyOf(watched));
    this.#rereads.forget(watched);
    clearTimeout(watched.retry);
  }

  #deliver(task: TaskInfo): void {
    const key = keyOf(task);
    const order = orderOf(task);
    const recent = this.#recent.get(key);
    if (recent === undefined || !isNewer(recent, task)) remember(this.#recent, key, task, REMEMBERED);
    const watched = this.#watched.get(key);
    if (watched === undefined) return;
    this.#rereads.saw(watched);
    for (const watcher of [...watched.watchers]) {
      if (order <= watcher.seen) continue;
      watcher.seen = order;
      this.#tell(task, () => fromSource(watcher.source, () => watcher.listener(task)));
    }
  }

  /** A listener that throws must neither end the process nor keep others from being called. */
  #tell({ id, job }: { readonly id: string; readonly job?: string }, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#report(error, { where: CALL_A_LISTENER, job, task: id });
    }
  }
}

/** The finished task of a wait that nothing else could end. */
function asFinished(task: TaskInfo | undefined): FinishedTask {
  if (task === undefined || !isFinished(task)) throw new TypeError("A wait has ended before its task.");
  return task;
}

/** Unique for each task, whatever the caller passes as an id. */
function keyOf({ id, owner }: Pick<TaskInfo, "id" | "owner">): string {
  return `${owner.length} ${owner} ${id}`;
}

/** The last state that followers see of a task that the store has lost: it has failed, and why. */
function lost(task: LiveTask, message: string): FailedTask {
  const { questions: _, dueAt: __, stopRequested: ___, parked: ____, ...rest } = task;
  const { revision, updatedAt } = task;
  return { ...rest, status: "FAILED", failure: "fault", message, revision: revision + 1, finishedAt: updatedAt };
}
