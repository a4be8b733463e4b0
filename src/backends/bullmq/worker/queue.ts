/**
 * The jobs of one queue, for a runner: BullMQ's own scripts take them from the queue, end them, and recover those of dead
 * workers.
 *
 * @module
 */
import type { Worker } from "bullmq";
import type { Attempt, ProgressReport, RecordedStep, WorkOptions } from "../../../backend.ts";
import { BackendError, HoldLost, JobFault } from "../../../errors.ts";
import type { OnError } from "../../../log/on_error.ts";
import type { QuestionState } from "../../../questions/open.ts";
import { remember } from "../../../recent.ts";
import type { Answer, NewQuestion } from "../../../task.ts";
import type { NewLines } from "../../../task_log/newest_lines.ts";
import { measureStart } from "../../../telemetry/metrics.ts";
import { doneWithin } from "../../../waiting.ts";
import { MAX_CRASHES, type WaitsFor } from "../../shared/record.ts";
import { Runner } from "../../shared/running/runner.ts";
import type {
  ClaimedTask,
  ClaimName,
  ClaimResult,
  FailedClaim,
  RunnerStore,
} from "../../shared/running/runner_store.ts";
import { TAKE_OVER, WORKER_LOST } from "../../shared/texts.ts";
import { ownOptionsOf } from "../new_task.ts";
import { carriedBy, NO_STEPS } from "../redis/scripts/resuming/resumed.ts";
import type { RedisStore } from "../redis/store.ts";
import type { RedisWorkers } from "../redis/workers.ts";
import { Ends } from "./ends.ts";
import { type HeldJob, HeldJobs } from "./held.ts";
import { JobSource, type LockedJob } from "./source.ts";

/** How long the end of a run waits for its last report to be stored, in ms. */
const LAST_REPORT_MS = 1_000;

/** The most tasks whose request to stop is remembered until their run begins. */
const MAX_EARLY_STOPS = 1_000;

/** What the work on a queue needs. */
export interface QueueOptions extends Omit<WorkOptions, "jobs"> {
  /** The name of the job, and of its queue. */
  readonly name: string;
  /** After how long a silent worker counts as dead, in ms. */
  readonly lease: number;
  readonly onError: OnError;
  /** The time on Redis, in ms since the epoch. */
  readonly now: () => number;
  /** Resolves once jobs may be taken. */
  readonly known: Promise<void>;
}

/** One job of a worker: its queue, and the runner of its tasks. */
export class QueueWork implements RunnerStore {
  readonly claimsCost: boolean = true;
  readonly now: () => number;
  readonly ready: Promise<void>;
  readonly #store: RedisStore;
  readonly #workers: RedisWorkers;
  /** How often it had connected when it last looked for claims whose replies were lost. */
  #connects = 1;
  readonly #options: QueueOptions;
  readonly #worker: Worker;
  readonly #runner: Runner;
  readonly #ends: Ends;
  readonly #held = new HeldJobs();
  readonly #source: JobSource;
  /** Tasks that were to stop and had no run here: they run elsewhere, or BullMQ's reply with their job is on its way. */
  readonly #earlyStops = new Map<string, true>();

  constructor(store: RedisStore, workers: RedisWorkers, options: QueueOptions) {
    const { name, lease, concurrency, limits, now, known, onError } = options;
    const rate = limits?.[name]?.rateLimit;
    this.#store = store;
    this.#workers = workers;
    this.#options = options;
    this.now = now;
    const opened = workers.open(name, {
      lockDuration: lease,
      // Less than the pause between two searches: BullMQ leaves out one that comes earlier than this after another.
      stalledInterval: Math.ceil(lease / 5),
      maxStalledCount: MAX_CRASHES - 1,
      ...(rate && { limiter: { max: rate.max, duration: rate.per } }),
    });
    const { worker } = opened;
    this.#worker = worker;
    this.#source = new JobSource(store.bullmq, opened, {
      name,
      onError,
      hasRoom: (taking) => this.#held.running + taking < concurrency,
      wake: () => this.#runner.wake(),
    });
    this.#ends = new Ends(store, name, this.#source, onError);
    const ready = Promise.all([known, worker.waitUntilReady()]).then(() => {});
    this.#runner = new Runner(this, { ...options, jobs: [name] }, ready);
    this.ready = this.#runner.ready;
  }

  /** With what the tokens of its claims begin. */
  get id(): string {
    return this.#worker.id;
  }

  /** The tasks that run here. */
  get running(): readonly string[] {
    return this.#held.all.map(({ hold }) => hold.id);
  }

  /** A task is to stop. */
  cancel(id: string): void {
    const held = this.#held.get(id);
    if (held === undefined) return void remember(this.#earlyStops, id, true, MAX_EARLY_STOPS);
    held.isCancelled = true;
    this.#runner.cancel(id);
  }

  /** There may be answers to questions, of all runs or of one. */
  recheckAnswers(id?: string): void {
    this.#runner.recheckAnswers(id);
  }

  /** Renews the locks of the jobs that run. The runs that have lost theirs end. */
  async renewLocks(): Promise<void> {
    await this.#renew(this.#held.all);
  }

  /** Gives the jobs of dead workers back to the queue, and what claims of this one have taken whose replies were lost. */
  async recover(): Promise<void> {
    const { name: job, onError } = this.#options;
    for (const task of await this.#worker.getBackend().moveStalledJobsToWait()) {
      onError(new BackendError(WORKER_LOST), { where: TAKE_OVER, job, task });
    }
    const { connects } = this.#workers;
    if (connects === this.#connects) return;
    const claimed = await this.#store.scripts.run<[string, string][]>("claimed", job, this.id);
    const unknown = claimed.filter(([id, token]) => this.#held.get(id)?.hold.token !== token);
    if (await this.#source.giveBack(unknown)) this.#connects = connects;
  }

  /** Takes no more jobs, and stops as the runner does. */
  async stop(grace: number): Promise<void> {
    await this.#source.stop(this.#runner.stop(grace));
  }

  /** Claims what follows the jobs that have just ended, and the next job. */
  async claim(max: number): Promise<ClaimResult> {
    try {
      const { jobs, ...rest } = await this.#source.take(max);
      const taken = await Promise.all(jobs.map((locked) => this.#take(locked)));
      this.#source.taken();
      return {
        claims: taken.flatMap(({ claim = [] }) => claim),
        failed: taken.flatMap(({ failed = [] }) => failed),
        ...rest,
      };
    } finally {
      this.#source.wait();
    }
  }

  async ask(claim: ClaimName, questions: readonly NewQuestion[]): Promise<readonly QuestionState[]> {
    const { hold } = this.#of(claim);
    const states = await this.#store.records.storeQuestions(hold, questions);
    if (states) return states;
    throw new JobFault("Cannot ask: another program has queued this job, so nobody can be shown its questions.");
  }

  answer({ id }: ClaimName, key: string): Promise<Answer | undefined> {
    return this.#store.records.readAnswer(id, key);
  }

  async report(claim: ClaimName, { progress, message }: ProgressReport, added: NewLines): Promise<void> {
    const held = this.#held.of(claim);
    if (held === undefined || held.isEnding) return;
    const { progress: before, message: last } = held.reported;
    held.reported = { progress: progress ?? before, message: message ?? last };
    held.reporting = this.#store.records.storeProgress(this.#options.name, held.hold, held.reported, added);
    await held.reporting;
  }

  steps(claim: ClaimName): Promise<readonly RecordedStep[]> {
    const { recorded } = this.#of(claim);
    return this.#store.parking.steps(this.#options.name, claim.id, recorded);
  }

  async record(claim: ClaimName, step: RecordedStep): Promise<void> {
    const held = this.#held.of(claim);
    if (held === undefined) return;
    held.recorded = undefined;
    const isHeld = await this.#store.parking.record(this.#options.name, held.hold, step);
    if (!isHeld) this.#lose(held);
  }

  async forget(claim: ClaimName, from: number): Promise<void> {
    const held = this.#held.of(claim);
    if (held === undefined) return;
    held.recorded = undefined;
    await this.#store.parking.forget(this.#options.name, held.hold, from);
  }

  settle(claim: ClaimName, attempt: Attempt): Promise<void> {
    return this.#end(claim, (held) => this.#ends.settle(held, attempt));
  }

  handBack(claim: ClaimName, abandoned: boolean): Promise<void> {
    return this.#end(claim, (held) => this.#ends.handBack(held, abandoned));
  }

  park(claim: ClaimName, awaited: WaitsFor): Promise<void> {
    return this.#end(claim, async (held) => {
      const reply = await this.#store.parking.park(this.#options.name, held.hold, awaited);
      if (reply === "stop") await this.#ends.cancel(held);
    });
  }

  /** The job of a run. */
  #of(claim: ClaimName): HeldJob {
    const held = this.#held.of(claim);
    if (held === undefined) throw new HoldLost();
    return held;
  }

  /** Gives a job to the runner, unless it is lost or is only to end. */
  async #take({ job, token }: LockedJob): Promise<{ readonly claim?: ClaimedTask; readonly failed?: FailedClaim }> {
    const { name, lease } = this.#options;
    const { id = "", attemptsStarted: run } = job;
    const hold = { id, run, token };
    const earlier = this.#held.get(id);
    if (earlier) this.#lose(earlier);
    const resumed = run > 1 ? carriedBy(job) : undefined;
    const recorded = run > 1 ? resumed?.recorded : NO_STEPS;
    const held: HeldJob = { job, hold, recorded, reported: {}, isCancelled: false, isEnding: false };
    this.#held.add(held);
    // If this process has stood still since its claim, another worker may have run the job.
    if (this.now() - (job.processedOn ?? Infinity) > lease) await this.#renew([held]).catch(() => {}); // It is renewed later.
    if (this.#held.get(id) !== held) return {};
    const { owner = "", timeout, trace } = ownOptionsOf(job);
    // `name` is that of the job that runs here; the tool that stored the task may have another.
    const task = { id, job: name, owner, attempt: job.attemptsMade + job.stalledCounter + 1, revision: run };
    const fails = (end: () => Promise<void>) => ({ failed: { task, end: () => this.#end(task, end) } });
    const { deferredFailure } = job;
    if (deferredFailure) return fails(() => this.#ends.fail(held, deferredFailure));
    // The signal may have been lost.
    const stops = run > 1 && (resumed?.stops ?? await this.#isToStop(id));
    if (stops || held.isCancelled || this.#earlyStops.has(id)) return fails(() => this.#ends.cancel(held));
    if (run === 1) measureStart(name, Number(job.processedOn) - job.timestamp - (job.opts.delay ?? 0));
    const { answers } = resumed ?? {};
    const mayHaveSteps = recorded !== NO_STEPS;
    return { claim: { task, input: job.data, timeout, trace, mayHaveSteps, answers } };
  }

  async #isToStop(id: string): Promise<boolean> {
    try {
      return (await this.#store.records.toStop([id])).length > 0;
    } catch {
      return false; // The next check of all runs asks again, and reports an error.
    }
  }

  /** Stores how a run ends, unless it has lost its job. */
  async #end(claim: ClaimName, end: (held: HeldJob) => Promise<void>): Promise<void> {
    const held = this.#held.of(claim);
    if (held === undefined) return;
    held.isEnding = true;
    this.#source.wait();
    // Its last report is stored before its end, or not at all.
    if (held.reporting) await doneWithin(held.reporting.catch(() => {}), LAST_REPORT_MS); // The run reports its error.
    await end(held);
    this.#held.remove(held);
    const { name, limits } = this.#options;
    if (limits?.[name]) this.#runner.wake(); // It may have been the last that was allowed.
  }

  #lose(held: HeldJob): void {
    this.#held.remove(held);
    this.#runner.lose(held.hold.id);
    this.#source.wait();
  }

  async #renew(held: readonly HeldJob[]): Promise<void> {
    if (held.length === 0) return;
    const [ids, tokens] = [held.map(({ hold }) => hold.id), held.map(({ hold }) => hold.token)];
    const lost = new Set(await this.#worker.extendJobLocks(ids, tokens, this.#options.lease));
    for (const each of held) if (lost.has(each.hold.id) && this.#held.get(each.hold.id) === each) this.#lose(each);
  }
}
