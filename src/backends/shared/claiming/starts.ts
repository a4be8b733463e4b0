/**
 * New tasks that a worker claims with their creation. Where the process that creates a task has a worker with a free slot, the
 * task need not be queued, found and claimed: that saves a write and a search.
 *
 * @module
 */
import type { TaskInfo } from "../../../task.ts";
import type { TaskRecord } from "../record.ts";
import type { ClaimedTask } from "../running/runner_store.ts";
import type { Entry, KeyCondition, Store } from "../store/store.ts";

/** The worker for which tasks are claimed. */
export interface Starter {
  readonly name: string;
  /** Those of its jobs whose tasks may begin now. */
  readonly jobs: () => Promise<readonly string[]>;
  /** Whether the worker may hold them all. */
  readonly hasRoom: () => boolean;
  readonly take: (entry: Entry, input: string) => ClaimedTask;
}

/** The new tasks of one worker, until they are claimed. */
export class Starts {
  readonly #store: Store;
  readonly #worker: Starter;
  /** They count as held. Each with the end of its start. */
  readonly #tasks = new Map<TaskInfo, Promise<unknown>>();

  constructor(store: Store, worker: Starter) {
    this.#store = store;
    this.#worker = worker;
  }

  /** Those that are claimed, or will be in a moment. */
  get tasks(): Iterable<TaskInfo> {
    return this.#tasks.keys();
  }

  /** The ends of the starts under way. */
  get underWay(): Iterable<Promise<unknown>> {
    return this.#tasks.values();
  }

  /** Stores a new task, and claims it if it may begin now. Resolves with the claim, or with whether it was stored. */
  start(record: TaskRecord, input: string, condition?: KeyCondition): Promise<ClaimedTask | boolean> {
    const start = this.#start(record, input, condition).finally(() => this.#tasks.delete(record.info));
    this.#tasks.set(record.info, start);
    return start;
  }

  async #start(record: TaskRecord, input: string, condition?: KeyCondition): Promise<ClaimedTask | boolean> {
    const { name, jobs, hasRoom, take } = this.#worker;
    const mayStart = (await jobs()).includes(record.info.job) && hasRoom();
    if (!mayStart || !this.#store.start) return await this.#store.create(record, input, condition);
    const stored = await this.#store.start(record, input, name, condition);
    return typeof stored === "boolean" ? stored : take(stored, input);
  }
}
