/**
 * Renews the locks of running jobs, run by run. BullMQ's own renewal knows a job only by its id: if a job comes back to
 * the worker that has lost it, the end of the earlier run would end the renewal for the later one, which holds the
 * lock.
 *
 * @module
 */
import type { Worker } from "bullmq";
import type { OnError } from "../../../log/on_error.ts";

/** A run that holds the lock of its job. */
interface Holder {
  readonly token: string;
  readonly lose: () => void;
}

/** The locks that one worker of BullMQ holds. The worker is to be started with `skipLockRenewal`. */
export class Locks {
  readonly #worker: Pick<Worker, "extendJobLocks">;
  readonly #job: string;
  readonly #lease: number;
  readonly #onError: OnError;
  /** By job id: only one run holds the lock. */
  readonly #holders = new Map<string, Holder>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewing = false;
  #closed = false;

  /** `lease` is how long a lock lasts, in ms. */
  constructor(worker: Pick<Worker, "extendJobLocks">, job: string, lease: number, onError: OnError) {
    this.#worker = worker;
    this.#job = job;
    this.#onError = onError;
    this.#lease = lease;
  }

  /**
   * Renews a job's lock for a run, until the returned function is called. Calls `lose` if the lock is lost, at the
   * latest when a later run of the job holds it.
   */
  hold(id: string, token: string, lose: () => void): () => void {
    this.#holders.get(id)?.lose();
    const holder = { token, lose };
    this.#holders.set(id, holder);
    this.#schedule();
    return () => {
      if (this.#holders.get(id) === holder) this.#holders.delete(id);
    };
  }

  /** Renews all locks now. Unless Redis is away, the runs that have lost theirs know it when this resolves. */
  async renew(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#renew();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** The end of a run does not stop the timer; that would cost each run more than a timer that finds nothing to do. */
  #schedule(): void {
    if (this.#closed || this.#renewing || this.#holders.size === 0) return;
    this.#timer ??= setTimeout(() => void this.#renew(), this.#lease / 4);
  }

  async #renew(): Promise<void> {
    this.#timer = undefined;
    const holders = [...this.#holders];
    if (holders.length === 0) return;
    this.#renewing = true;
    try {
      const [ids, tokens] = [holders.map(([id]) => id), holders.map(([, { token }]) => token)];
      const lost = new Set(await this.#worker.extendJobLocks(ids, tokens, this.#lease));
      for (const [id, holder] of holders) {
        if (!lost.has(id) || this.#holders.get(id) !== holder) continue;
        this.#holders.delete(id);
        holder.lose();
      }
    } catch (error) {
      // Redis is away. Locks that are lost meanwhile are reported by the next renewal.
      if (!this.#closed) this.#onError(error, { where: "renew the locks of jobs", job: this.#job });
    }
    this.#renewing = false;
    this.#schedule();
  }
}
