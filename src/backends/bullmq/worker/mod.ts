/**
 * A worker on BullMQ: one of BullMQ's own workers for each job, and the runs of their jobs.
 *
 * @module
 */
import type { Job, Processor, Worker } from "bullmq";
import type { WorkHandle, WorkOptions } from "../../../backend.ts";
import { WorkerStopping } from "../../../errors.ts";
import type { OnError } from "../../../log/on_error.ts";
import { newWorker } from "../../../operator/workers.ts";
import { remember } from "../../../recent.ts";
import type { Json, TerminalStatus } from "../../../task.ts";
import { countEnded } from "../../../telemetry/metrics.ts";
import { doneWithin } from "../../../waiting.ts";
import { MAX_CRASHES } from "../../shared/record.ts";
import { Recurring } from "../../shared/recurring.ts";
import { ABORT_GRACE_MS } from "../../shared/running/runner.ts";
import type { Signal } from "../redis/events/signals.ts";
import type { PresentWorker } from "../redis/operating.ts";
import type { RedisStore } from "../redis/store.ts";
import type { RedisWorkers } from "../redis/workers.ts";
import { pauseAfterErrors } from "./error_pauses.ts";
import { startWithHeadStart } from "./head_start.ts";
import { Locks } from "./locks.ts";
import { JobRun } from "./run.ts";

/** The pause between two checks for what lost signals may have said, in ms. */
const CHECK_MS = 500;

/** The pause before Redis is told of a new worker again while it fails, in ms. */
const TELL_RETRY_MS = 500;

/** The pause after a worker could not request a job, in ms. */
const RUN_RETRY_MS = 500;

/** A worker with room for several tasks sometimes misses that a retry is due; it notices after this time, in s. */
const DRAIN_S = 0.5;

/** For how long a worker whose rate is used up asks for nothing, in ms: it may not notice that it is to stop. */
const RATE_PAUSE_MS = 1_000;

/** The most tasks whose request to stop is remembered until their run begins. */
const MAX_EARLY_STOPS = 1_000;

/** What a worker needs besides its store. */
export interface QueueWorkOptions extends WorkOptions {
  /** After how long a silent worker counts as dead, in ms. */
  readonly lease: number;
  readonly onError: OnError;
}

/** The BullMQ workers of one worker of ours. */
export class QueueWork implements WorkHandle {
  readonly ready: Promise<void>;
  readonly #store: RedisStore;
  readonly #options: QueueWorkOptions;
  readonly #workers: RedisWorkers;
  readonly #locks: Locks[] = [];
  /** For a moment, a task may have two runs here: one that has lost the task, and a newer one. */
  readonly #runs = new Set<JobRun>();
  /** Jobs whose runs were cancelled. */
  readonly #cancelled = new WeakSet<Job>();
  /** Tasks that were to stop and had no run here: they run elsewhere, or BullMQ's reply with their job is on its way. */
  readonly #earlyStops = new Map<string, true>();
  /** Looks for tasks that are to stop and for answers: signals may be lost. */
  readonly #check: Recurring;
  /** Stores that this worker is alive, for operators. */
  readonly #presence: Recurring;
  /** What operators see of it. */
  readonly #me: ReturnType<typeof newWorker>;
  /** Resolves once Redis knows of this worker, or it has stopped. */
  readonly #known = Promise.withResolvers<void>();
  /**
   * By how much Redis's clock is ahead of `performance.now()` at most, in ms, so that no sleep is too short. Each report that the
   * worker is alive reads it anew.
   */
  #ahead = Infinity;
  readonly #unsubscribe: () => void;
  /** Why the runs are to stop; set once the grace is over. */
  #reason: WorkerStopping | undefined;
  #stopping: Promise<void> | undefined;
  /** Resolves if a later call of `stop` has cut the grace short. */
  readonly #graceOver = Promise.withResolvers<void>();

  /** Starts a BullMQ worker for each job. */
  constructor(store: RedisStore, options: QueueWorkOptions) {
    this.#store = store;
    this.#options = options;
    this.#unsubscribe = store.onSignal((signal) => this.#handle(signal));
    this.#workers = store.workers(options.limits);
    this.#me = newWorker(options.jobs);
    const workers = options.jobs.map((name) => this.#startWorker(name));
    const { lease, onError } = options;
    const { scripts, deadline } = store;
    const tell = async () => {
      const asked = performance.now();
      const me: PresentWorker = { ...this.#me, ids: workers.map(({ id }) => id) };
      const now = await deadline.wait(scripts.run<number>("present", me.name, JSON.stringify(me), lease));
      // The quickest answer is the most exact, unless a later one shows that Redis's clock was set.
      const [least, most] = [now - performance.now(), now - asked];
      if (this.#ahead < least || this.#ahead > most) this.#ahead = most;
      this.#known.resolve();
    };
    const pace = { every: lease / 2, first: 0, retry: TELL_RETRY_MS };
    this.#presence = new Recurring("store that a worker is alive", tell, onError, pace);
    const check = () => this.#checkRuns();
    this.#check = new Recurring("look for tasks that are to stop", check, onError, { every: CHECK_MS });
    const begin = Promise.all([this.#known.promise, options.after]);
    for (const worker of workers) {
      void begin.then(() => this.#stopping ?? worker.run().catch((error) => worker.emit("error", error)));
    }
    const ready = [this.#known.promise, ...workers.map((worker) => worker.waitUntilReady())];
    this.ready = Promise.all(ready).then(() => {});
    this.ready.catch(() => {}); // Whoever awaits it gets the error.
  }

  /** Another call can shorten the grace. */
  stop(grace: number): Promise<void> {
    if (this.#stopping === undefined) return this.#stopping = this.#stop(grace);
    // Whoever awaits the end gets its error.
    void doneWithin(this.#stopping, grace).then((done) => done || this.#graceOver.resolve(), () => {});
    return this.#stopping;
  }

  #startWorker(name: string): Worker {
    const { concurrency, limits, lease, onError } = this.#options;
    const rate = limits?.[name]?.rateLimit;
    const settings = {
      concurrency,
      autorun: false,
      lockDuration: lease,
      stalledInterval: Math.ceil(lease / 4),
      maxStalledCount: MAX_CRASHES - 1,
      skipLockRenewal: true,
      runRetryDelay: RUN_RETRY_MS,
      drainDelay: DRAIN_S,
      maximumRateLimitDelay: RATE_PAUSE_MS,
      ...(rate && { limiter: { max: rate.max, duration: rate.per } }),
    };
    const run = (job: Job, token: string) => this.#run(name, locks, job, token);
    const start = (process: Processor) => this.#workers.start(name, process, settings);
    const worker = startWithHeadStart(start, run, concurrency);
    pauseAfterErrors(this.#store.bullmq, worker, { job: name, lease, onError });
    worker.on("completed", (job) => this.#count(name, job, "COMPLETED"));
    worker.on("failed", (job) => job && this.#count(name, job, this.#cancelled.has(job) ? "CANCELLED" : "FAILED"));
    const locks = new Locks(worker, name, lease, onError);
    this.#locks.push(locks);
    return worker;
  }

  async #run(name: string, locks: Locks, job: Job, token: string): Promise<Json> {
    const now = () => Math.ceil(performance.now() + this.#ahead);
    const run = new JobRun({ ...this.#options, store: this.#store, name, job, token, now });
    const releaseLock = locks.hold(run.id, token, () => run.lose());
    this.#runs.add(run);
    if (this.#earlyStops.has(run.id)) run.cancel();
    if (this.#reason) run.stop(this.#reason);
    try {
      // If this process has stood still since its claim, another worker may have run the job.
      if (now() - (job.processedOn ?? Infinity) > this.#options.lease) await locks.renew();
      return await run.execute();
    } finally {
      releaseLock();
      this.#runs.delete(run);
      if (run.isCancelled) this.#cancelled.add(job);
    }
  }

  /** Counts a task that a worker of this process has ended; a job that is to be tried again has no end. */
  #count(job: string, { timestamp: createdAt, finishedOn }: Job, status: TerminalStatus): void {
    if (finishedOn !== undefined) countEnded({ job, status, createdAt, finishedAt: finishedOn });
  }

  #handle(signal: Signal): void {
    if (signal.kind === "gap") return void this.#checkRuns().catch(() => {}); // The next check repeats it.
    if (signal.kind === "queue" || signal.kind === "document") return;
    const runs = [...this.#runs].filter(({ id }) => id === signal.id);
    if (signal.kind === "stop" && runs.length === 0) remember(this.#earlyStops, signal.id, true, MAX_EARLY_STOPS);
    for (const run of runs) {
      if (signal.kind === "stop") run.cancel();
      else run.checkAnswers();
    }
  }

  /** Reads what lost signals may have said. */
  async #checkRuns(): Promise<void> {
    const runs = [...this.#runs];
    for (const run of runs) run.checkAnswers();
    const stops = new Set(await this.#store.records.toStop(runs.map(({ id }) => id)));
    for (const run of runs) if (stops.has(run.id)) run.cancel();
  }

  async #stop(grace: number): Promise<void> {
    const closed = this.#workers.close();
    if (!await Promise.race([doneWithin(closed, grace), this.#graceOver.promise.then(() => false)])) {
      const reason = this.#reason = new WorkerStopping();
      for (const run of this.#runs) run.stop(reason);
      if (!await doneWithin(closed, ABORT_GRACE_MS)) {
        for (const run of this.#runs) run.release();
      }
      if (!await doneWithin(closed, ABORT_GRACE_MS)) {
        for (const run of this.#runs) run.abandon(reason);
        await this.#workers.abandon();
      }
      await closed;
    }
    void this.#check[Symbol.asyncDispose](); // Redis may not answer it.
    await this.#presence[Symbol.asyncDispose]();
    const { scripts, deadline } = this.#store;
    // If this fails, it counts as dead a little later.
    await deadline.wait(scripts.client.hdel(scripts.key("workers"), this.#me.name)).catch(() => {});
    this.#known.resolve();
    for (const locks of this.#locks) locks.close();
    this.#unsubscribe();
  }
}
