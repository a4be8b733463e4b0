/**
 * A worker on BullMQ: for each of its jobs the work on one queue, and what they have in common.
 *
 * @module
 */
import type { WorkHandle, WorkOptions } from "../../../backend.ts";
import type { OnError } from "../../../log/on_error.ts";
import { newWorker } from "../../../operator/workers.ts";
import { doneWithin } from "../../../waiting.ts";
import { Recurring } from "../../shared/recurring.ts";
import { ABORT_GRACE_MS } from "../../shared/running/runner.ts";
import type { Signal } from "../redis/events/signals.ts";
import type { PresentWorker } from "../redis/operating.ts";
import type { RedisStore } from "../redis/store.ts";
import type { RedisWorkers } from "../redis/workers.ts";
import { QueueWork } from "./queue.ts";

/** The pause between two checks for what lost signals may have said, in ms. */
const CHECK_MS = 500;

/** The pause before Redis is told of a new worker again while it fails, in ms. */
const TELL_RETRY_MS = 500;

/** What a worker needs besides its store. */
export interface BullMqWorkOptions extends WorkOptions {
  /** After how long a silent worker counts as dead, in ms. */
  readonly lease: number;
  readonly onError: OnError;
}

/** A worker. */
export class BullMqWork implements WorkHandle {
  readonly ready: Promise<void>;
  readonly #store: RedisStore;
  readonly #workers: RedisWorkers;
  readonly #queues: readonly QueueWork[];
  /** What operators see of it. */
  readonly #me: ReturnType<typeof newWorker>;
  /** Resolves once Redis knows of this worker, or it has stopped. */
  readonly #known = Promise.withResolvers<void>();
  /**
   * By how much Redis's clock is ahead of `performance.now()` at most, in ms, so that no sleep is too short. Each report that the
   * worker is alive reads it anew.
   */
  #ahead = Infinity;
  readonly #recurring: readonly Recurring[];
  readonly #unsubscribe: () => void;
  #stopping: Promise<void> | undefined;
  /** Resolves if a later call of `stop` has cut the grace short. */
  readonly #graceOver = Promise.withResolvers<void>();

  /** Begins to take tasks once Redis knows of it. */
  constructor(store: RedisStore, options: BullMqWorkOptions) {
    const { jobs, lease, limits, onError } = options;
    this.#store = store;
    this.#unsubscribe = store.onSignal((signal) => this.#handle(signal));
    this.#workers = store.workers(limits);
    this.#me = newWorker(jobs);
    const now = () => Math.ceil(performance.now() + this.#ahead);
    const known = this.#known.promise;
    this.#queues = jobs.map((name) => new QueueWork(store, this.#workers, { ...options, name, now, known }));
    const each = (act: (queue: QueueWork) => Promise<void>) => () => Promise.all(this.#queues.map(act));
    const quarter = { every: lease / 4 };
    this.#recurring = [
      new Recurring("store that a worker is alive", () => this.#tell(lease), onError, {
        every: lease / 2,
        first: 0,
        retry: TELL_RETRY_MS,
      }),
      new Recurring("look for tasks that are to stop", () => this.#checkRuns(), onError, { every: CHECK_MS }),
      new Recurring("renew the locks of jobs", each((queue) => queue.renewLocks()), onError, quarter),
      new Recurring("look for jobs of dead workers", each((queue) => queue.recover()), onError, {
        ...quarter,
        first: 0,
      }),
    ];
    this.ready = Promise.all(this.#queues.map(({ ready }) => ready)).then(() => {});
    this.ready.catch(() => {}); // Whoever awaits it gets the error.
  }

  /** Another call can shorten the grace. */
  stop(grace: number): Promise<void> {
    const stopped = Promise.all(this.#queues.map((queue) => queue.stop(grace)));
    if (this.#stopping === undefined) return this.#stopping = this.#stop(stopped, grace);
    // Whoever awaits the end gets its error.
    void doneWithin(this.#stopping, grace).then((done) => done || this.#graceOver.resolve(), () => {});
    return this.#stopping;
  }

  /** Stores that this worker is alive, for operators. */
  async #tell(lease: number): Promise<void> {
    const { scripts } = this.#store;
    const asked = performance.now();
    const me: PresentWorker = { ...this.#me, ids: this.#queues.map(({ id }) => id) };
    const now = await scripts.run<number>("present", me.name, JSON.stringify(me), lease);
    // The quickest answer is the most exact, unless a later one shows that Redis's clock was set. It is rounded down to 1 ms.
    const [least, most] = [now - performance.now(), now + 1 - asked];
    if (this.#ahead < least || this.#ahead > most) this.#ahead = most;
    this.#known.resolve();
  }

  #handle(signal: Signal): void {
    if (signal.kind === "gap") return void this.#checkRuns().catch(() => {}); // The next check repeats it.
    if (signal.kind === "stop") this.#queues.forEach((queue) => queue.cancel(signal.id));
    if (signal.kind === "answer") this.#queues.forEach((queue) => queue.recheckAnswers(signal.id));
  }

  /** Reads what lost signals may have said. */
  async #checkRuns(): Promise<void> {
    for (const queue of this.#queues) queue.recheckAnswers();
    const running = this.#queues.flatMap(({ running }) => running);
    const stops = await this.#store.records.toStop(running);
    for (const queue of this.#queues) for (const id of stops) queue.cancel(id);
  }

  async #stop(stopped: Promise<unknown>, grace: number): Promise<void> {
    const inGrace = Promise.race([doneWithin(stopped, grace), this.#graceOver.promise.then(() => false)]);
    // After the runners have given up what they claim and then what they run, it stops waiting for Redis: what is still to be
    // written is lost.
    if (!await inGrace) await doneWithin(stopped, 3 * ABORT_GRACE_MS);
    const { scripts, deadline } = this.#store;
    await Promise.all([
      ...this.#recurring.map((each) => each[Symbol.asyncDispose]()), // First: then what ends with its connection is no error.
      this.#workers.close(),
      // If this fails, it counts as dead a little later.
      deadline.wait(scripts.client.hdel(scripts.key("workers"), this.#me.name)).catch(() => {}),
      stopped,
    ]);
    this.#known.resolve();
    this.#unsubscribe();
  }
}
