/**
 * The lease of a worker, kept while the worker lives: renewed three times before it runs out. Workers look for others
 * whose lease has run out, and take their tasks over.
 *
 * @module
 */
import { unheard } from "../../../log/log_error.ts";
import { isFinished, type TaskInfo } from "../../../task.ts";
import { crashed } from "../record.ts";
import { Recurring } from "../recurring.ts";
import type { Store, WorkerLease } from "./store.ts";
import { update } from "./update.ts";

/** Keeps the lease of one worker. */
export class Lease implements AsyncDisposable {
  /** Resolves once the worker is known. */
  readonly ready: Promise<void>;
  readonly #store: Store;
  readonly #lease: WorkerLease;
  readonly #recurring: readonly Recurring[];

  /** Begins to keep it. `renewed` is called with each later renewal. */
  constructor(store: Store, lease: WorkerLease, renewed: () => void) {
    this.#store = store;
    this.#lease = lease;
    this.ready = lease.renew().then(() => this.recover());
    const { duration } = lease;
    this.#recurring = [
      new Recurring("renew the lease of a worker", () => lease.renew().then(renewed), duration / 3),
      new Recurring("look for dead workers", () => this.recover(), duration / 2),
    ];
  }

  /** Takes over what dead workers have left. */
  async recover(): Promise<void> {
    for (const { name, tasks, bury } of await this.#lease.dead()) {
      await Promise.all(tasks.map((task) => this.#takeOver(name, task)));
      await bury();
    }
  }

  /** Gives the lease up. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#recurring.map((one) => one[Symbol.asyncDispose]()));
    await this.#lease.end().catch(unheard("end the lease of a worker, which runs out by itself"));
  }

  /** Takes a task from a dead worker, even while somebody else changes it, as an answer does. */
  async #takeOver(deadWorker: string, { id, owner }: Pick<TaskInfo, "id" | "owner">): Promise<void> {
    await update(this.#store, await this.#store.read(id, owner), (record) => {
      const holds = !isFinished(record.info) && record.holder === deadWorker;
      return holds ? crashed(record, this.#store.now()) : { record };
    });
  }
}
