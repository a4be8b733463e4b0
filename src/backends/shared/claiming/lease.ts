/**
 * The lease of a worker, kept while the worker lives: renewed three times before it runs out. Workers look for others
 * whose lease has run out, and take their tasks over.
 *
 * @module
 */
import { BackendError, StoreLost } from "../../../errors.ts";
import type { OnError } from "../../../log/on_error.ts";
import type { TaskInfo } from "../../../task.ts";
import { doneWithin, pause } from "../../../waiting.ts";
import { crashed, type TaskRecord } from "../record.ts";
import { Recurring } from "../recurring.ts";
import type { Store, WorkerLease } from "../store/store.ts";
import { update } from "../store/update.ts";
import { TAKE_OVER, WORKER_LOST } from "../texts.ts";

/** The pause before a worker that could not start tries again, in ms. */
const RETRY_MS = 500;

/** A worker that is late more often than this in a row is busy: then the machine has not slept. */
const MAX_LATE = 5;

/** How long to wait for the end of a lease, in ms. */
const END_MS = 2_000;

export class Lease implements AsyncDisposable {
  /** Resolves once the store knows the worker, even if the store is away at first. Rejects if the store is lost or the lease ends before. */
  readonly ready: Promise<void>;
  readonly #store: Store;
  readonly #lease: WorkerLease;
  readonly #closed = new AbortController();
  readonly #onError: OnError;
  readonly #recurring: readonly Recurring[];
  /** When this worker last looked for dead ones, and how many times in a row it was late. */
  #lookedAt: number;
  #late = 0;

  /** Begins to keep it. `renewed` is called with each later renewal. */
  constructor(store: Store, lease: WorkerLease, renewed: () => void, onError: OnError) {
    this.#onError = onError;
    this.#store = store;
    this.#lease = lease;
    this.#lookedAt = store.now();
    this.ready = this.#begin();
    const { duration } = lease;
    this.#recurring = [
      new Recurring("renew the lease of a worker", () => lease.renew().then(renewed), onError, { every: duration / 3 }),
      new Recurring("look for dead workers", () => this.recover(), onError, { every: duration / 2 }),
    ];
  }

  /** Takes over what dead workers have left. */
  async recover(): Promise<void> {
    const dead = await this.#lease.dead();
    // The machine has slept, its clock was set, or the store was away: the other workers, too, need a moment to renew
    // their leases.
    if (this.#isLate()) return await this.#lease.renew();
    for (const { name, tasks, remove } of dead) {
      await Promise.all(tasks.map((task) => this.#takeOver(name, task)));
      await remove();
    }
  }

  /** Ends the lease. Does not wait long for a store that is away: there the lease runs out by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new BackendError("Cannot start the worker: it is closed."));
    const end = async () => {
      // A lease that is stored only now would outlive its worker.
      await Promise.allSettled([this.ready, ...this.#recurring.map((one) => one[Symbol.asyncDispose]())]);
      await this.#lease.end();
    };
    const failed = (error: unknown) => {
      this.#onError(error, { where: "end the lease of a worker, which runs out by itself" });
    };
    await doneWithin(end().catch(failed), END_MS);
  }

  async #begin(): Promise<void> {
    const { signal } = this.#closed;
    while (true) {
      try {
        await this.#lease.renew();
        signal.throwIfAborted();
        return await this.recover();
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof StoreLost) throw error;
        this.#onError(error, { where: "start a worker" });
        await pause(RETRY_MS, signal);
        signal.throwIfAborted();
      }
    }
  }

  /** Whether far more time than half a lease has passed since dead workers were last looked for. */
  #isLate(): boolean {
    const passed = this.#store.now() - this.#lookedAt;
    this.#lookedAt += passed;
    this.#late = passed < this.#lease.duration ? 0 : this.#late + 1;
    return this.#late > 0 && this.#late <= MAX_LATE;
  }

  /** Takes over a task of a dead worker, even if it changes at the same time, for example by an answer. */
  async #takeOver(deadWorker: string, { id, owner }: Pick<TaskInfo, "id" | "owner">): Promise<void> {
    const holds = ({ holder }: TaskRecord) => holder === deadWorker; // Nobody holds a finished task.
    const entry = await this.#store.read(id, owner);
    if (entry === undefined || !holds(entry.record)) return;
    // The dead worker can record no more, unless it is only slow: then the next death counts anew, which harms nobody.
    const steps = await this.#store.steps(entry);
    let isTaken = false;
    await update(this.#store, entry, (record) => {
      isTaken = holds(record);
      return isTaken ? crashed(record, steps, this.#store.now()) : { record };
    });
    const { job } = entry.record.info;
    if (isTaken) this.#onError(new BackendError(WORKER_LOST), { where: TAKE_OVER, job, task: id });
  }
}
