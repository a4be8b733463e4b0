/**
 * Passes changes on to everything in this process that depends on them: the backend's watchers and its workers.
 *
 * @module
 */
import type { TaskEvent } from "../../../backend.ts";
import { CALL_A_LISTENER, guarded, type OnError, reporterOf } from "../../../log/on_error.ts";
import type { Outcome, TaskInfo } from "../../../task.ts";

/** Receives changes. */
export interface HubListener {
  /** A task has changed, or changes may have been missed. */
  event(event: TaskEvent): void;
  /** A task of one of these jobs, or of any, may be ready to run. Its event comes as well, perhaps later. */
  ready(jobs?: ReadonlySet<string>): void;
  /** A document has changed. */
  document?(name: string): void;
  /** The store was started anew, perhaps without changes that it had told of. A gap follows. */
  restarted?(): void;
}

/** The jobs of those tasks that a worker may begin now, or once they are due. */
export function readyJobs(tasks: readonly TaskInfo[]): ReadonlySet<string> {
  return new Set(tasks.filter(({ status }) => status === "PENDING" || status === "RETRYING").map(({ job }) => job));
}

/** Passes every call on to all listeners. If one throws, the others are called all the same. */
export class Hub implements HubListener {
  readonly #listeners = new Set<HubListener>();
  readonly #closed = new AbortController();
  #onError: OnError = reporterOf();
  /** Made once, not with each event. */
  readonly #guarded = guarded(
    (listener: HubListener, call: (listener: HubListener) => void) => call(listener),
    (error) => this.#onError(error, { where: CALL_A_LISTENER }),
  );

  /** Reports what listeners throw to this function. Default: a line on stderr. */
  reportTo(onError: OnError): void {
    this.#onError = onError;
  }

  /** Adds a listener. Returns a function that removes it. */
  add(listener: HubListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells all listeners of an event. */
  event(event: TaskEvent): void {
    this.#tell((listener) => listener.event(event));
  }

  /** Tells all listeners that a task of one of these jobs, or of any, may be ready to run. */
  ready(jobs?: ReadonlySet<string>): void {
    this.#tell((listener) => listener.ready(jobs));
  }

  /** Tells all listeners that a document has changed. */
  document(name: string): void {
    this.#tell((listener) => listener.document?.(name));
  }

  /** Tells all listeners that the store was started anew. */
  restarted(): void {
    this.#tell((listener) => listener.restarted?.());
  }

  #tell(call: (listener: HubListener) => void): void {
    for (const listener of [...this.#listeners]) this.#guarded(listener, call);
  }

  /**
   * Announces what this process has just written, with how tasks have ended where that is at hand. Returns the jobs
   * of which tasks may be ready to run.
   */
  written(
    tasks: readonly TaskInfo[],
    documents: readonly string[] = [],
    outcomes: ReadonlyMap<TaskInfo, Outcome> = new Map(),
  ): ReadonlySet<string> {
    for (const name of documents) this.document(name);
    for (const task of tasks) {
      const outcome = outcomes.get(task);
      this.event({ kind: "change", task, ...(outcome && { outcome }) });
    }
    const jobs = readyJobs(tasks);
    if (jobs.size > 0) this.ready(jobs);
    return jobs;
  }

  /** Aborts when it closes. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Removes all listeners: the backend closes. */
  close(): void {
    this.#listeners.clear();
    this.#closed.abort();
  }
}
