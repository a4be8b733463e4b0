/**
 * One run of a job: between BullMQ and the job's code, it does what BullMQ has no concept of, which is cancelling,
 * questions, faults, and handing a task back on shutdown.
 *
 * @module
 */
import type { Job } from "bullmq";
import type { Claim, ProgressReport, WorkOptions } from "../../../backend.ts";
import { HoldLost, TaskCancelled, type WorkerStopping } from "../../../errors.ts";
import { logError } from "../../../log/log_error.ts";
import type { Json, NewQuestion } from "../../../task.ts";
import { doneWithin } from "../../../waiting.ts";
import { OpenQuestions } from "../../shared/open_questions.ts";
import { mergeReports, type Reports } from "../../shared/progress_reports.ts";
import { isAbandoned } from "../../shared/record.ts";
import { oursOf } from "../new_task.ts";
import type { RedisStore } from "../redis/store.ts";
import { endRun, holdOf, type RunEnd } from "./run_end.ts";

/** The pause before the store is tried again while it fails, in ms. */
const STORE_RETRY_MS = 200;

/** How long the end of a run waits for its last report to be stored, in ms. */
const LAST_REPORT_MS = 1_000;

/** What a run needs. */
export interface RunOptions {
  readonly store: RedisStore;
  /** The name of the job, and of its queue. */
  readonly name: string;
  readonly job: Job;
  /** The token with which the worker has locked the job. */
  readonly token: string;
  /** Runs the job's code. */
  readonly run: WorkOptions["run"];
}

/** One run of a job. */
export class JobRun {
  readonly id: string;
  readonly #options: RunOptions;
  readonly #controller = new AbortController();
  readonly #questions: OpenQuestions;
  readonly #reports: Reports;
  /** Resolves once nobody waits for the code any longer. One per run: a shared one would keep every task in memory. */
  readonly #released = Promise.withResolvers<undefined>();
  /** Rejects once nobody waits for Redis any longer. */
  readonly #abandoned = Promise.withResolvers<never>();
  #cancelled = false;
  /** Another run holds the task: nothing that this one reports or returns counts. */
  #lost = false;
  #stopping: WorkerStopping | undefined;
  #ended = false;

  constructor(options: RunOptions) {
    const { store: { records }, job, token } = options;
    this.#options = options;
    this.id = job.id ?? "";
    this.#abandoned.promise.catch(() => {});
    this.#reports = this.#mergeReports();
    this.#questions = new OpenQuestions(
      {
        ask: (_, questions) => this.#insist(() => records.storeQuestions(holdOf({ job, token }), questions)),
        answer: (id, key) => this.#insist(() => records.readAnswer(id, key)),
      },
      this.id,
      this.#controller.signal,
    );
  }

  /**
   * Runs the code. Resolves with what BullMQ is to store as the result; rejects with what it is to make of an error.
   */
  async execute(): Promise<Json> {
    const { store, name, job, token, run } = this.#options;
    const { signal } = this.#controller;
    try {
      // BullMQ hands out no cancelled job unless it is retried by hand, so a first run starts at once. The record shows
      // a request to stop whose signal was lost.
      if (job.attemptsStarted > 1) await this.#insist(() => this.#readStop());
      const claim: Claim = {
        // `name` is that of the job that runs here; the tool that stored the task may have another.
        task: { id: this.id, job: name, attempt: job.attemptsMade + job.stalledCounter + 1 },
        input: job.data,
        ...oursOf(job),
        signal,
        report: this.#reports.report,
        ask: (question: NewQuestion) => this.#questions.ask(question),
      };
      const started = !this.#cancelled && !this.#lost;
      const attempt = started ? await Promise.race([run(claim), this.#released.promise]) : undefined;
      // Its last report is stored before its end, or not at all.
      const storing = this.#reports.end();
      if (storing) await doneWithin(storing, LAST_REPORT_MS);
      if (this.#lost) throw new store.bullmq.WaitingError(); // BullMQ leaves the job as it is.
      const abandoned = started && (attempt === undefined || isAbandoned(attempt));
      const handBack = attempt === undefined || this.#stopping && signal.aborted && attempt.kind !== "value";
      const end: RunEnd = this.#cancelled
        ? { kind: "cancelled", abandoned }
        : handBack
        ? { kind: "handed back", abandoned }
        : { kind: "settled", attempt };
      return await endRun(store, { job, token }, end, (act) => this.#insist(act));
    } finally {
      this.#ended = true;
      this.#released.resolve(undefined);
    }
  }

  /** The task is cancelled: its code is to stop. */
  cancel(): void {
    this.#cancelled = true;
    this.#controller.abort(new TaskCancelled());
  }

  /** Another run holds the task: this one ends at once, whatever its code does. */
  lose(): void {
    const error = new HoldLost();
    this.#lost = true;
    this.#controller.abort(error);
    this.#released.resolve(undefined);
    this.#abandoned.reject(error);
  }

  /** The worker stops: the code is to stop, and the task is handed back unless it ends. */
  stop(reason: WorkerStopping): void {
    this.#stopping = reason;
    this.#controller.abort(reason);
  }

  /** Stops waiting for the code. */
  release(): void {
    this.#released.resolve(undefined);
  }

  /** Stops waiting for Redis. */
  abandon(reason: WorkerStopping): void {
    this.#abandoned.reject(reason);
  }

  /** There may be answers to its questions. */
  checkAnswers(): void {
    this.#questions.recheck();
  }

  async #readStop(): Promise<void> {
    if ((await this.#options.store.records.toStop([this.id])).length > 0) this.cancel();
  }

  /**
   * Repeats a call while Redis fails: a task must not fail because Redis is away. When the worker stops, or the run is
   * lost or over, it gives up and leaves the job as it is: the lock expires, and the task runs again.
   */
  async #insist<T>(act: () => Promise<T>): Promise<T> {
    while (!this.#lost && !this.#ended) {
      try {
        return await Promise.race([act(), this.#abandoned.promise]);
      } catch (error) {
        if (this.#stopping) break;
        if (!this.#lost) logError("read or store what a running task needs", error);
        await doneWithin(this.#released.promise, STORE_RETRY_MS);
      }
    }
    throw new this.#options.store.bullmq.WaitingError();
  }

  /** A report is stored at once or dropped: the code does not wait for a Redis that is away. */
  #mergeReports(): Reports {
    const { store, name, job, token } = this.#options;
    let latest: ProgressReport = {};
    return mergeReports(async (report) => {
      latest = { progress: report.progress ?? latest.progress, message: report.message ?? latest.message };
      await store.records.storeProgress(name, holdOf({ job, token }), latest);
    });
  }
}
