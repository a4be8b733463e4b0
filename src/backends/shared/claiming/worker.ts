/**
 * A worker of this process: its claims, its lease, and the runner of its tasks.
 *
 * @module
 */
import type { WorkerInfo, WorkHandle, WorkOptions } from "../../../backend.ts";
import type { OnError } from "../../../log/on_error.ts";
import type { Pauses } from "../../../operator/pauses.ts";
import { newWorker } from "../../../operator/workers.ts";
import type { TaskRecord } from "../record.ts";
import { Runner } from "../running/runner.ts";
import { Claims } from "./claims.ts";
import type { Hub } from "../store/hub.ts";
import { Lease } from "./lease.ts";
import type { KeyCondition, LeasedWorker, Store } from "../store/store.ts";

export class StoreWorker implements WorkHandle {
  readonly ready: Promise<void>;
  readonly #worker: LeasedWorker;
  readonly #claims: Claims;
  readonly #runner: Runner;
  readonly #lease: Lease | undefined;
  readonly #unsubscribe: () => void;
  #stopping: Promise<void> | undefined;

  /** Begins to claim tasks once its lease is stored. */
  constructor(
    store: Store,
    hub: Hub,
    pauses: Pauses,
    options: WorkOptions & { readonly onError: OnError },
  ) {
    const { jobs, onError } = options;
    this.#worker = newWorker(jobs);
    const claims: Claims = this.#claims = new Claims(
      store,
      this.#worker,
      {
        hasRoom: () => lease?.hasRoom?.() ?? true,
        lose: (id) => runner.lose(id),
        onError,
      },
      (again) => pauses.unpaused(jobs, again),
      options.limits,
    );
    const lease = store.lease?.(this.#worker, () => claims.held);
    let isOutdated = false;
    // What events that were missed may have said: an answer, a request to stop, or that another worker holds a task now.
    const reread = () => {
      isOutdated = false;
      claims.reread().then((tasks) => tasks.forEach((task) => runner.receive(task))).catch((error) => {
        isOutdated = true;
        onError(error, { where: "read the running tasks again" });
      });
    };
    // With each renewal the worker also looks for pauses and tasks that no event has announced.
    const renewed = () => {
      pauses.forget();
      runner.wake();
      if (isOutdated) reread();
    };
    this.#lease = lease && new Lease(store, lease, renewed, onError);
    const ready = this.#lease?.ready ?? Promise.resolve();
    const runner: Runner = this.#runner = new Runner(claims, options, ready);
    this.ready = runner.ready;
    this.#unsubscribe = hub.add({
      ready: (of) => {
        if (of === undefined || jobs.some((job) => of.has(job))) runner.wake();
      },
      event: (event) => {
        claims.receive(event);
        if (event.kind === "gap") {
          runner.recheck();
          return reread();
        }
        runner.receive(event.task);
        // `ready` is not called for delayed tasks, so the worker takes their due time from the event.
        const isDelayed = "dueAt" in event.task && jobs.includes(event.task.job);
        if (isDelayed || claims.freesSlot(event.task)) runner.wake();
      },
    });
  }

  /** What an operator sees of it. */
  get info(): WorkerInfo {
    return { ...this.#worker, running: this.#claims.held.map(({ id }) => id) };
  }

  /**
   * Stores a new task, and begins it at once if it may. Resolves with whether it was stored. Returns `undefined`, and stores
   * nothing, where the task has to wait for a slot.
   */
  start(record: TaskRecord, input: string, condition?: KeyCondition): Promise<boolean> | undefined {
    if (!this.#claims.mayStart(record)) return undefined;
    return this.#runner.start(record.info.id, () => this.#claims.start(record, input, condition));
  }

  /** Resolves once the claims under way have taken their tasks, or have failed. */
  settled(): Promise<void> {
    return this.#claims.settled();
  }

  /** Stops as the runner does, and then ends its lease. A second call shortens the grace. */
  stop(grace: number): Promise<void> {
    const stopped = this.#runner.stop(grace);
    return this.#stopping ??= stopped.then(() => this.#lease?.[Symbol.asyncDispose]()).finally(this.#unsubscribe);
  }
}
