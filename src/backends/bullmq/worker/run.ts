/**
 * One run of a job: between BullMQ and the job's code, it does what BullMQ has no concept of, which is cancelling,
 * questions, faults, and handing a task back on shutdown.
 *
 * @module
 */
import type { Job } from "bullmq";
import type { Attempt, Claim, ProgressReport, WorkOptions } from "../../../backend.ts";
import { HoldLost, JobFault, TaskCancelled, TaskParked, type WorkerStopping } from "../../../errors.ts";
import type { OnError } from "../../../log/on_error.ts";
import type { Answers } from "../../../questions/open.ts";
import type { Json } from "../../../task.ts";
import { measureStart } from "../../../telemetry/metrics.ts";
import { doneWithin } from "../../../waiting.ts";
import { RunCalls, type RunStore } from "../../shared/running/run_calls.ts";
import { isAbandoned } from "../../shared/record.ts";
import { ownOptionsOf } from "../new_task.ts";
import { carriedBy, NO_STEPS, type Resumed, type StepsPage } from "../redis/scripts/resuming/resumed.ts";
import type { Hold } from "../redis/records.ts";
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
  /** The time on Redis, in ms since the epoch. */
  readonly now: () => number;
  readonly onError: OnError;
}

/** One run of a job. */
export class JobRun {
  readonly id: string;
  readonly #options: RunOptions;
  readonly #hold: Hold;
  readonly #controller = new AbortController();
  readonly #calls: RunCalls;
  /** Resolves once nothing waits for the code any longer. One per run: a shared promise would keep every task in memory. */
  readonly #released = Promise.withResolvers<undefined>();
  /** Rejects once nobody waits for Redis any longer. */
  readonly #abandoned = Promise.withResolvers<never>();
  #cancelled = false;
  /** Another run holds the task: nothing that this one reports or returns counts. */
  #lost = false;
  #stopping: WorkerStopping | undefined;
  /** The code has ended. */
  #over = false;
  #ended = false;
  /** Resolves with whether parking the task has ended the run; `undefined` unless parking has begun. */
  #parking: Promise<boolean> | undefined;
  /** The first steps of earlier runs; `undefined` where they were not read, and once this run has changed some. */
  #recorded: StepsPage | undefined = NO_STEPS;
  /** The answers that earlier runs have received. */
  #answers: Answers = {};

  constructor(options: RunOptions) {
    this.#options = options;
    this.#hold = holdOf(options.job, options.token);
    this.id = this.#hold.id;
    this.#abandoned.promise.catch(() => {}); // Whatever is raced against it gets the reason.
    const failed = (error: unknown) => this.#report(error, "store what a task reports");
    this.#calls = new RunCalls(this.#storeOfRun(), this.#controller.signal, () => this.#isOver, failed);
  }

  /**
   * Runs the code. Resolves with what BullMQ is to store as the result; rejects with what it is to make of an error.
   */
  async execute(): Promise<Json> {
    const { store, name, job, run } = this.#options;
    try {
      if (job.attemptsStarted > 1) await this.#resume(carriedBy(job));
      const claim = this.#claim();
      // A worker that stops may receive a last job when it no longer waits for code.
      const started = !this.#cancelled && !this.#lost && !this.#stopping;
      if (started && job.attemptsStarted === 1) {
        measureStart(name, Number(job.processedOn) - job.timestamp - (job.opts.delay ?? 0));
      }
      const attempt = started ? await Promise.race([run(claim), this.#released.promise]) : undefined;
      this.#over = true;
      await this.#calls.recorded();
      if (await this.#parking) throw new store.bullmq.WaitingError(); // The job waits already.
      // Its last report is stored before its end, or not at all.
      const storing = this.#calls.reports.end();
      if (storing) await doneWithin(storing, LAST_REPORT_MS);
      await this.#flush();
      if (this.#lost) throw new store.bullmq.WaitingError(); // BullMQ leaves the job as it is.
      return await endRun(store, job, this.#hold, this.#end(started, attempt), (act) => this.#retry(act));
    } finally {
      this.#ended = true;
      this.#released.resolve(undefined);
    }
  }

  /**
   * Goes on with what earlier runs have left. Where Redis could not read that with the claim, it is asked: before the code starts
   * whether that is to stop, and for the rest by each call.
   */
  async #resume(carried: Resumed | undefined): Promise<void> {
    this.#recorded = carried?.recorded;
    if (carried) this.#answers = carried.answers;
    const stops = carried?.stops ?? (await this.#retry(() => this.#options.store.records.toStop([this.id]))).length > 0;
    if (stops) this.cancel(); // The signal may have been lost.
  }

  /** What the code is given. */
  #claim(): Claim {
    const { name, job, now } = this.#options;
    const { owner = "", timeout, trace } = ownOptionsOf(job);
    return {
      // `name` is that of the job that runs here; the tool that stored the task may have another.
      task: { id: this.id, job: name, owner, attempt: job.attemptsMade + job.stalledCounter + 1 },
      input: job.data,
      timeout,
      trace,
      signal: this.#controller.signal,
      answers: this.#answers,
      now,
      mayHaveSteps: this.#recorded !== NO_STEPS,
      park: (until) => this.#park(until),
      ...this.#calls.ofClaim,
    };
  }

  /** How the run ends. Its code was not `started`, or has ended as `attempt` says, or nobody waits for it any longer. */
  #end(started: boolean, attempt: Attempt | undefined): RunEnd {
    const abandoned = started && (attempt === undefined || isAbandoned(attempt));
    if (this.#cancelled) return { kind: "cancelled", abandoned };
    if (!started) return { kind: "not begun", abandoned };
    const isStopped = this.#stopping && this.#controller.signal.aborted;
    if (attempt === undefined || isStopped && attempt.kind !== "value") return { kind: "handed back", abandoned };
    return { kind: "settled", attempt, abandoned };
  }

  /** Whether somebody has asked to cancel the task. */
  get isCancelled(): boolean {
    return this.#cancelled;
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
    this.#calls.questions.recheck();
  }

  /** Whether the run is over or lost, so that nothing that its code does counts any longer. */
  get #isOver(): boolean {
    return this.#over || this.#parking !== undefined || this.#lost;
  }

  /** Stores the lines that its code has logged. */
  async #flush(): Promise<void> {
    await this.#retry(async () => await this.#calls.reports.flush());
  }

  /** Once this is called, the end of the code does not end the attempt. */
  async #park(until?: number): Promise<void> {
    if (this.#isOver) return;
    const { store, name } = this.#options;
    const { questions } = this.#calls;
    const [keys, asked] = [questions.awaited, questions.stored()];
    const stored = asked.then(async () => {
      await this.#flush();
      return await this.#retry(() => store.parking.park(name, this.#hold, { keys, until }));
    });
    this.#parking = stored.then((reply) => {
      // Somebody has asked to cancel it meanwhile: that its code has stopped is still to be stored.
      if (reply === "stop") this.#cancelled = true;
      else this.#released.resolve(undefined);
      return reply !== "stop";
    }, () => true);
    this.#controller.abort(new TaskParked());
    await this.#parking;
  }

  #report(error: unknown, where: string): void {
    this.#options.onError(error, { where, job: this.#options.name, task: this.id });
  }

  /**
   * Repeats a call while Redis fails: a task must not fail because Redis is away. When the worker stops, or the run is
   * lost or over, it gives up and leaves the job as it is: the lock expires, and the task runs again.
   */
  async #retry<T>(act: () => Promise<T>): Promise<T> {
    while (!this.#lost && !this.#ended) {
      try {
        return await Promise.race([act(), this.#abandoned.promise]);
      } catch (error) {
        if (this.#stopping) break;
        if (!this.#lost) this.#report(error, "read or store what a running task needs");
        await doneWithin(this.#released.promise, STORE_RETRY_MS);
      }
    }
    throw new this.#options.store.bullmq.WaitingError();
  }

  /**
   * What Redis does for this run. A report is stored at once or dropped: the code does not wait while Redis is away. The end
   * of the run waits for the log.
   */
  #storeOfRun(): RunStore {
    const { store: { records, parking }, name } = this.#options;
    const hold = this.#hold;
    let latest: ProgressReport = {};
    return {
      ask: async (questions) => {
        const states = await this.#retry(() => records.storeQuestions(hold, questions));
        if (states) return states;
        throw new JobFault("Cannot ask: another program has queued this job, so nobody can be shown its questions.");
      },
      answer: (key) => this.#retry(() => records.readAnswer(this.id, key)),
      report: async ({ progress, message }, added) => {
        if (this.#parking && added.lines.length === 0) return;
        latest = { progress: progress ?? latest.progress, message: message ?? latest.message };
        await records.storeProgress(name, hold, latest, added);
      },
      steps: () => this.#retry(() => parking.steps(name, this.id, this.#recorded)),
      record: async (step) => {
        this.#recorded = undefined;
        const held = await this.#retry(() => parking.record(name, hold, step));
        if (!held) this.lose();
      },
      forget: async (from) => {
        this.#recorded = undefined;
        await this.#retry(() => parking.forget(name, hold, from));
      },
    };
  }
}
