/**
 * One feed per process: the backend's events, fanned out to all who wait for a task. Nothing here polls.
 *
 * @module
 */
import type { Backend, TaskEvent } from "./backend.ts";
import { TaskNotFound } from "./errors.ts";
import { logError } from "./log_error.ts";
import { type FinishedTask, isFinished, type TaskInfo } from "./task.ts";

type Listener = (task: TaskInfo) => void;

/** The pause before what could not be read is read again, in ms. */
const READ_RETRY_MS = 500;

interface Watcher {
  readonly owner: string;
  readonly listener: Listener;
  readonly onError: (error: unknown) => void;
  /** The newest that it was told of, or need not be. */
  revision: number;
}

/** Fans the events of one backend out to the watchers of single tasks. */
export class TaskFeed implements Disposable {
  readonly #backend: Backend;
  readonly #watched = new Map<string, Set<Watcher>>();
  /** The tasks that are to be read again, each with its owner. */
  readonly #retries = new Map<string, ReturnType<typeof setTimeout>>();
  #stopped: Error | undefined;
  readonly #waiting = new Set<(reason: unknown) => void>();
  readonly #stop: () => void;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#stop = backend.watch((event) => this.#receive(event));
  }

  /** How many tasks are watched now. */
  get size(): number {
    return this.#watched.size;
  }

  /**
   * Calls `listener` on every change of a task from now on, in order and each once. `onError` hears that the task is gone,
   * and then nothing follows. Returns the way to stop.
   */
  watch(
    task: Pick<TaskInfo, "id" | "owner">,
    listener: Listener,
    onError: (error: unknown) => void = () => {},
  ): () => void {
    return this.#add(task.id, { owner: task.owner, listener, onError, revision: 0 });
  }

  /**
   * As `watch`, and tells where the task stands now: it watches first and reads then, so that nothing falls between, and
   * again later where it cannot be read now. What is older than the given revision is not told: events come late.
   */
  follow({ id, owner, revision }: Pick<TaskInfo, "id" | "owner" | "revision">, listener: Listener): () => void {
    const stop = this.#add(id, { owner, listener, onError: () => {}, revision: revision - 1 });
    this.#read(id, owner);
    return stop;
  }

  /**
   * Waits until a task is finished; `onChange` sees the changes on the way. Rejects as `Backend.get` does, and with the
   * signal's reason once it aborts.
   */
  async wait(id: string, owner: string, signal: AbortSignal, onChange?: Listener): Promise<FinishedTask> {
    signal.throwIfAborted();
    if (this.#stopped) throw this.#stopped;
    const { promise, resolve, reject } = Promise.withResolvers<FinishedTask>();
    const look = (task: TaskInfo) => isFinished(task) ? resolve(task) : onChange?.(task);
    const stop = this.watch({ id, owner }, look, reject);
    this.#backend.get(id, owner).then((now) => this.#tell(now), reject);
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort);
    this.#waiting.add(reject);
    try {
      return await promise;
    } finally {
      stop();
      this.#waiting.delete(reject);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Rejects every `wait`, those under way and those to come. */
  stopWaiting(reason: Error): void {
    this.#stopped = reason;
    for (const reject of [...this.#waiting]) reject(reason);
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#watched.clear();
    for (const timer of this.#retries.values()) clearTimeout(timer);
  }

  #receive(event: TaskEvent): void {
    if (event.kind === "change") return this.#tell(event.task);
    for (const [id, watchers] of this.#watched) {
      for (const owner of new Set([...watchers].map((watcher) => watcher.owner))) this.#read(id, owner);
    }
  }

  /** Changes may have been missed. No event comes of a task that is gone, so who watches it is told. */
  #read(id: string, owner: string): void {
    this.#backend.get(id, owner).then((task) => this.#tell(task), (error) => {
      if (!(error instanceof TaskNotFound)) {
        logError("read a task that somebody waits for", error);
        return this.#readLater(id, owner);
      }
      for (const watcher of [...this.#watched.get(id) ?? []]) {
        if (watcher.owner !== owner) continue;
        this.#forget(id, watcher);
        watcher.onError(error);
      }
    });
  }

  #readLater(id: string, owner: string): void {
    const key = `${id} ${owner}`;
    if (this.#retries.has(key) || !this.#watched.has(id)) return;
    const again = () => {
      this.#retries.delete(key);
      if (this.#watched.has(id)) this.#read(id, owner);
    };
    this.#retries.set(key, setTimeout(again, READ_RETRY_MS));
  }

  #add(id: string, watcher: Watcher): () => void {
    const watchers = this.#watched.get(id) ?? new Set();
    this.#watched.set(id, watchers.add(watcher));
    return () => this.#forget(id, watcher);
  }

  #forget(id: string, watcher: Watcher): void {
    const watchers = this.#watched.get(id);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watched.delete(id);
  }

  #tell(task: TaskInfo): void {
    for (const watcher of [...this.#watched.get(task.id) ?? []]) {
      if (watcher.owner !== task.owner || task.revision <= watcher.revision) continue;
      watcher.revision = task.revision;
      watcher.listener(task);
    }
  }
}
