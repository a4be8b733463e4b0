/**
 * The locks of the jobs that run, renewed run by run. BullMQ's own renewal knows a job by its id alone: where a job comes
 * back to the worker that has lost it, the end of its earlier run would end the renewal for the run that holds it.
 *
 * @module
 */
import type { Worker } from "bullmq";
import { logError } from "../../../log/log_error.ts";

interface Held {
  readonly token: string;
  readonly lose: () => void;
}

/** The locks that one worker of BullMQ holds. It is to be started with `skipLockRenewal`. */
export class Locks {
  readonly #worker: Pick<Worker, "extendJobLocks">;
  readonly #lease: number;
  /** By job: there is one run that holds it. */
  readonly #held = new Map<string, Held>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing = false;
  #closed = false;

  /** `lease` is for how long a lock holds, in ms. */
  constructor(worker: Pick<Worker, "extendJobLocks">, lease: number) {
    this.#worker = worker;
    this.#lease = lease;
  }

  /** Renews a job's lock for a run, until it is told that the run is over. An earlier run of the job has lost it. */
  hold(id: string, token: string, lose: () => void): () => void {
    this.#held.get(id)?.lose();
    const held = { token, lose };
    this.#held.set(id, held);
    this.#wait();
    return () => {
      if (this.#held.get(id) === held) this.#held.delete(id);
    };
  }

  /** Renews nothing any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** The timer is not stopped for every run that ends: it finds out. */
  #wait(): void {
    if (this.#closed || this.#renewing || this.#held.size === 0) return;
    this.#timer ??= setTimeout(() => void this.#renew(), this.#lease / 4);
  }

  async #renew(): Promise<void> {
    this.#timer = undefined;
    const held = [...this.#held];
    if (held.length === 0) return;
    this.#renewing = true;
    try {
      const [ids, tokens] = [held.map(([id]) => id), held.map(([, { token }]) => token)];
      const lost = new Set(await this.#worker.extendJobLocks(ids, tokens, this.#lease));
      for (const [id, run] of held) {
        if (!lost.has(id) || this.#held.get(id) !== run) continue;
        this.#held.delete(id);
        run.lose();
      }
    } catch (error) {
      // The store is away. What is lost meanwhile is told the next time.
      if (!this.#closed) logError("renew the locks of jobs", error);
    }
    this.#renewing = false;
    this.#wait();
  }
}
