/**
 * Repeats reads and writes while the store is away, so that no job fails and no finished work is lost because of that.
 *
 * @module
 */
import { HoldLost, InvalidValue, JobFault } from "../../../errors.ts";
import type { OnError } from "../../../log/on_error.ts";
import { pause } from "../../../waiting.ts";
import type { ClaimedTask, RunnerStore } from "./runner_store.ts";

/** The pause before a read or a write is tried again, in ms. */
export const STORE_RETRY_MS = 500;

/** The reads and writes of one runner. */
export class StoreRetries {
  readonly #store: Pick<RunnerStore, "settle">;
  readonly #onError: OnError;
  readonly #closed = new AbortController();
  readonly #writing = new Set<Promise<void>>();

  constructor(store: Pick<RunnerStore, "settle">, onError: OnError) {
    this.#store = store;
    this.#onError = onError;
  }

  /** Tries no more from now on, for this reason. */
  close(reason: Error): void {
    this.#closed.abort(reason);
  }

  /** Resolves once what was written until now is stored, or given up. */
  async written(): Promise<void> {
    await Promise.all(this.#writing);
  }

  /** Returns a function that repeats calls of the store for a running task, until `isOver`. */
  of(task: ClaimedTask["task"], isOver: () => boolean): <T>(act: () => Promise<T>) => Promise<T> {
    return async (act) => {
      while (true) {
        try {
          return await act();
        } catch (error) {
          const isFinal = [HoldLost, InvalidValue, JobFault].some((final) => error instanceof final);
          if (isFinal || isOver() || this.#closed.signal.aborted) throw error;
          this.#onError(error, { where: "read or store what a running task needs", job: task.job, task: task.id });
          await pause(STORE_RETRY_MS, this.#closed.signal);
          if (isOver()) throw error;
        }
      }
    };
  }

  /** Writes how a task ended. A result that can never be stored ends its task with a fault that says so. */
  write(task: ClaimedTask["task"], write: () => Promise<void>): Promise<void> {
    const attempt = async () => {
      while (true) {
        try {
          return await this.#writeOrFault(task, write);
        } catch (error) {
          this.#onError(error, { where: "store how an attempt has ended", job: task.job, task: task.id });
          if (this.#closed.signal.aborted) return;
          await pause(STORE_RETRY_MS);
        }
      }
    };
    const writing: Promise<void> = attempt().finally(() => this.#writing.delete(writing));
    this.#writing.add(writing);
    return writing;
  }

  async #writeOrFault(task: ClaimedTask["task"], write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      this.#onError(error, { where: "store how an attempt has ended", job: task.job, task: task.id });
      const message = `The result of the attempt could not be stored: ${error.message}`;
      await this.#store.settle(task, { kind: "fault", message });
    }
  }
}
