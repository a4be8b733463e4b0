/**
 * A worker on BullMQ: one of BullMQ's own workers per job, and between it and the job's code what BullMQ does not know:
 * who owns a task, whether it was cancelled, what it asks, and how it failed.
 *
 * @module
 */
import type { Job, Processor, Worker } from "bullmq";
import type { Claim, ProgressReport, WorkHandle, WorkOptions } from "../../../backend.ts";
import { doneWithin } from "../../../waiting.ts";
import { HoldLost, TaskCancelled, WorkerStopping } from "../../../errors.ts";
import { logError } from "../../../log/log_error.ts";
import type { Json, Question } from "../../../task.ts";
import { Asking, type AskingStore } from "../../shared/open_questions.ts";
import { isAbandoned, MAX_CRASHES } from "../../shared/record.ts";
import { mergeReports, type Reports } from "../../shared/progress_reports.ts";
import { EarlyStops } from "./early_stops.ts";
import { pauseAfterErrors } from "./error_pauses.ts";
import { startWithHeadStart } from "./head_start.ts";
import { Locks } from "./locks.ts";
import { Lookout } from "./lookout.ts";
import { timeoutOf } from "../new_task.ts";
import { endRun, type RunEnd } from "./run_end.ts";
import type { Signal, Store, Workers } from "../database.ts";

/** How long a job has, after its signal aborts at shutdown, to stop by itself, in ms. */
const ABORT_GRACE_MS = 1_000;

/** The pause before the store is tried again while it fails, in ms. */
const STORE_RETRY_MS = 200;

/** How long the end of a run waits for its last report, in ms. */
const LAST_REPORT_MS = 1_000;

/** The pause before a worker that could not ask for a job asks again, in ms. */
const RUN_RETRY_MS = 500;

/** A worker with room for several tasks sometimes misses that a retry has become due; then it looks after this time, in s. */
const DRAIN_S = 0.5;

interface Running {
  readonly id: string;
  readonly controller: AbortController;
  readonly asking: Asking;
  /** Once the task is let go, whatever its code does. Each has its own: one promise for all would keep every task in memory. */
  readonly released: PromiseWithResolvers<undefined>;
  /** Rejects once nobody waits for the store any longer. */
  readonly abandoned: PromiseWithResolvers<never>;
  /** Somebody has asked to cancel the task. */
  stop: boolean;
  /** The task is another run's: nothing that this one says counts any more. */
  lost: boolean;
}

/** Whose job it is: the queue's name, the locks of its worker, and the token that the job is locked with. */
interface Held {
  readonly name: string;
  readonly locks: Locks;
  readonly token: string;
}

/** What a worker needs beside its store. */
export interface QueueWorkOptions extends WorkOptions {
  /** After how long a silent worker counts as dead, in ms. */
  readonly lease: number;
}

/** The BullMQ workers of one worker of ours. */
export class QueueWork implements WorkHandle {
  readonly ready: Promise<void>;
  readonly #store: Store;
  readonly #options: QueueWorkOptions;
  readonly #workers: Workers;
  readonly #locks: Locks[] = [];
  /** Of one task there may be two runs for a moment: one that has lost it, and one after it came back. */
  readonly #running = new Set<Running>();
  readonly #stops = new EarlyStops();
  readonly #lookout = new Lookout(() => this.#lookForSignals(), () => this.#running.size > 0);
  readonly #deaf: () => void;
  #shutDown: WorkerStopping | undefined;
  #stopping: Promise<void> | undefined;
  readonly #hurry = Promise.withResolvers<void>();

  /** Starts a BullMQ worker for each job. */
  constructor(store: Store, options: QueueWorkOptions) {
    this.#store = store;
    this.#options = options;
    this.#deaf = store.listen((signal) => this.#hear(signal));
    const settings = {
      concurrency: options.concurrency,
      autorun: options.after === undefined,
      lockDuration: options.lease,
      stalledInterval: Math.ceil(options.lease * 0.4),
      maxStalledCount: MAX_CRASHES - 1,
      skipLockRenewal: true,
      runRetryDelay: RUN_RETRY_MS,
      drainDelay: DRAIN_S,
    };
    this.#workers = store.workers();
    const started = options.jobs.map((name) => {
      const run = (job: Job, token: string): Promise<Json> => this.#process({ name, locks, token }, job);
      const start = (process: Processor) => this.#workers.start(name, process, settings);
      const worker: Worker = startWithHeadStart(start, run, options.concurrency);
      pauseAfterErrors(store.bullmq, worker, options.lease);
      const locks = new Locks(worker, options.lease);
      this.#locks.push(locks);
      void options.after?.then(() => this.#stopping ?? worker.run().catch((error) => worker.emit("error", error)));
      return worker;
    });
    this.ready = Promise.all(started.map((worker) => worker.waitUntilReady())).then(() => {});
    this.ready.catch(() => {});
  }

  /** Called again, it shortens the grace. */
  stop(grace: number): Promise<void> {
    if (this.#stopping === undefined) return this.#stopping = this.#stop(grace);
    void doneWithin(this.#stopping, grace).then((done) => done || this.#hurry.resolve(), () => {});
    return this.#stopping;
  }

  async #process({ name, locks, token }: Held, job: Job): Promise<Json> {
    const { WaitingError } = this.#store.bullmq;
    const { records } = this.#store;
    const id = job.id ?? "";
    const controller = new AbortController();
    const { signal } = controller;
    const released = Promise.withResolvers<undefined>();
    const abandoned = Promise.withResolvers<never>();
    abandoned.promise.catch(() => {});
    const asking = new Asking(this.#asking(() => running), id, signal);
    const running: Running = { id, controller, asking, released, abandoned, stop: false, lost: false };
    const letGo = locks.hold(id, token, () => this.#lose(running));
    this.#running.add(running);
    const reports = this.#reports(running, name, job);
    try {
      // BullMQ gives out no cancelled task, unless somebody retries it by hand, so a first run begins at once. A wish to
      // cancel comes by signal, maybe before BullMQ's answer has; where none came through, it stands in the record.
      if (this.#stops.has(id)) this.#abort(running);
      if (job.attemptsStarted > 1) await this.#insist(running, () => this.#lookForStops([running]));
      this.#lookout.start();
      if (this.#shutDown) controller.abort(this.#shutDown);
      const claim: Claim = {
        // The tool that has stored it may bear another name than the job that is run here.
        task: { id, job: name, attempt: job.attemptsMade + job.stalledCounter + 1 },
        input: await this.#insist(running, () => records.input(job)),
        timeout: timeoutOf(job),
        signal,
        report: reports.report,
        ask: (question: Question) => running.asking.ask(question),
      };
      const begun = !running.stop;
      const attempt = begun ? await Promise.race([this.#options.run(claim), released.promise]) : undefined;
      // What it says last is stored before its end, or not at all.
      const storing = reports.end();
      if (storing) await doneWithin(storing, LAST_REPORT_MS);
      if (running.lost) throw new WaitingError(); // BullMQ leaves the job as it is.
      const insist = <T>(act: () => Promise<T>) => this.#insist(running, act);
      const abandoned = begun && (attempt === undefined || isAbandoned(attempt));
      const handsBack = attempt === undefined || this.#shutDown && signal.aborted && attempt.kind !== "value";
      const end: RunEnd = running.stop
        ? { kind: "stopped", abandoned }
        : handsBack
        ? { kind: "handed back", abandoned }
        : { kind: "settled", attempt };
      return await endRun(this.#store, { job, token }, end, insist);
    } finally {
      letGo();
      this.#running.delete(running);
      released.resolve(undefined);
    }
  }

  /**
   * Does a thing again and again while the store fails: a task must not fail because its store is away. At shutdown the
   * task is let go instead, as it is: its lock runs out, and it runs again. One that is lost has been let go, and for a
   * run that is over nothing is done any more.
   */
  async #insist<T>(running: Running, act: () => Promise<T>): Promise<T> {
    while (!running.lost && this.#running.has(running)) {
      try {
        return await Promise.race([act(), running.abandoned.promise]);
      } catch (error) {
        if (this.#shutDown) break;
        if (!running.lost) logError("read or store what a running task needs", error);
        await doneWithin(running.released.promise, STORE_RETRY_MS);
      }
    }
    throw new this.#store.bullmq.WaitingError();
  }

  /** Tells at once or not at all: the job does not wait for a store that is away. */
  #reports(running: Running, name: string, job: Job): Reports {
    const id = job.id ?? "";
    let said: ProgressReport = {};
    return mergeReports(async (report) => {
      said = { progress: report.progress ?? said.progress, message: report.message ?? said.message };
      const queue = await this.#store.queue(name);
      if (running.lost) return;
      await queue.getBackend().updateProgress(id, { ...said, run: job.attemptsStarted });
    });
  }

  #asking(running: () => Running): AskingStore {
    const { records } = this.#store;
    return {
      ask: (id, question) => this.#insist(running(), () => records.ask(id, question)),
      answer: (id, key) => this.#insist(running(), () => records.answerTo(id, key)),
    };
  }

  #hear(signal: Signal): void {
    if (signal.kind === "gap") return void this.#lookout.now();
    if (signal.kind === "queue") return;
    const runs = this.#runsOf(signal.id);
    if (signal.kind === "stop" && runs.length === 0) this.#stops.add(signal.id);
    for (const running of runs) {
      if (signal.kind === "stop") this.#abort(running);
      else running.asking.hear();
    }
  }

  async #lookForSignals(): Promise<void> {
    const running = [...this.#running];
    for (const { asking } of running) asking.hear();
    await this.#lookForStops(running);
  }

  async #lookForStops(running: readonly Running[]): Promise<void> {
    const stops = new Set(await this.#store.records.stops(running.map(({ id }) => id)));
    for (const each of running) {
      if (stops.has(each.id)) this.#abort(each);
    }
  }

  #abort(running: Running): void {
    running.stop = true;
    running.controller.abort(new TaskCancelled());
  }

  /** The run ends at once, whatever its code does. */
  #lose(running: Running): void {
    const error = new HoldLost();
    running.lost = true;
    running.controller.abort(error);
    running.released.resolve(undefined);
    running.abandoned.reject(error);
  }

  #runsOf(id: string): readonly Running[] {
    return [...this.#running].filter((running) => running.id === id);
  }

  async #stop(grace: number): Promise<void> {
    const closed = this.#workers.close();
    if (!await Promise.race([doneWithin(closed, grace), this.#hurry.promise.then(() => false)])) {
      this.#shutDown = new WorkerStopping();
      for (const { controller } of this.#running) controller.abort(this.#shutDown);
      if (!await doneWithin(closed, ABORT_GRACE_MS)) {
        for (const { released } of this.#running) released.resolve(undefined);
      }
      if (!await doneWithin(closed, ABORT_GRACE_MS)) {
        for (const { abandoned } of this.#running) abandoned.reject(this.#shutDown);
        await this.#workers.abandon();
      }
      await closed;
    }
    this.#lookout[Symbol.dispose]();
    for (const locks of this.#locks) locks.close();
    this.#deaf();
  }
}
