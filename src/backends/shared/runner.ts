/**
 * The worker's side of the stores that are ours: slots, claims, progress, cancellation and shutdown.
 * A store brings the reading and writing; what happens to a record stands in `record.ts`.
 *
 * @module
 */
import type { Attempt, Claim, ProgressReport, WorkHandle, WorkOptions } from "../../backend.ts";
import { HoldLost, InvalidValue, JobsError, TaskCancelled, WorkerStopping } from "../../errors.ts";
import { logError } from "../../log/log_error.ts";
import type { Json, Question, TaskInfo } from "../../task.ts";
import { doneWithin, LONGEST_TIMER_MS, pause } from "../../waiting.ts";
import { Asking, type AskingStore } from "./open_questions.ts";
import { isAbandoned } from "./record.ts";
import { mergeReports } from "./progress_reports.ts";

/** A task that was just claimed. */
export interface ClaimedTask {
  /** The task, which is RUNNING now. */
  readonly task: TaskInfo;
  /** Its input. */
  readonly input: Json;
  /** The longest time that the attempt may take, in ms; absent: no limit. */
  readonly timeout?: number;
}

/** A task that was just claimed and cannot run. */
export interface FailedClaim {
  /** The task's id. */
  readonly id: string;
  /** Writes what becomes of it instead. The runner calls it again while it fails. */
  readonly end: () => Promise<void>;
}

/** What a store gives a runner that asks for tasks. */
export interface ClaimResult {
  /** The tasks to run. */
  readonly claims: readonly ClaimedTask[];
  /** What was claimed, but cannot run. */
  readonly failed?: readonly FailedClaim[];
  /** Whether there may be more that are due. */
  readonly more: boolean;
  /** How long it is until the next one is due, in ms; absent or `Infinity`: not known. */
  readonly dueIn?: number;
}

/**
 * What a store does for a runner. Each write is a no-op for a task that the runner no longer holds; it rejects with
 * `InvalidValue` for what can never be stored, and with anything else for what may be stored later.
 */
export interface RunnerStore extends AskingStore {
  /** Claims up to `max` tasks that are due. */
  claim(max: number): Promise<ClaimResult>;
  /** Stores what a running job says of itself. */
  report(id: string, report: ProgressReport): Promise<void>;
  /** Stores how an attempt ended: its task is finished, or tried again. */
  settle(id: string, attempt: Attempt): Promise<void>;
  /** Gives a task back to the queue, without counting the attempt; `abandoned`: its code may run on. */
  handBack(id: string, abandoned: boolean): Promise<void>;
}

/** How long a job has, after its signal aborts at shutdown, to stop by itself, in ms. */
const ABORT_GRACE_MS = 1_000;

/** The pause before a write is tried again while the store fails, in ms. */
const STORE_RETRY_MS = 500;

interface Running {
  /** The revision that was claimed: what is told of older ones is past. */
  readonly revision: number;
  readonly attempt: number;
  readonly controller: AbortController;
  readonly asking: Asking;
  readonly done: Promise<void>;
}

/** Takes tasks from a store and runs them, never more than `concurrency` at once. */
export class Runner implements WorkHandle {
  /** Resolves once it takes tasks; rejects as the `ready` that it was given. */
  readonly ready: Promise<void>;
  readonly #store: RunnerStore;
  readonly #options: WorkOptions;
  readonly #running = new Map<string, Running>();
  readonly #settling = new Set<Promise<void>>();
  readonly #closed = new AbortController();
  /** Tasks that were asked to stop while a look was under way, which may be claiming them. */
  readonly #stopEarly = new Map<string, TaskInfo>();
  /** Whether there may be work that nobody has taken: a look that finds nothing says no, until the feed tells of more. */
  #moreReady = true;
  /** Whether it may claim yet. */
  #mayClaim: boolean;
  #looking: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #hurry = Promise.withResolvers<void>();

  /** Begins to claim tasks once `ready` resolves, and `options.after` does. */
  constructor(store: RunnerStore, options: WorkOptions, ready: Promise<void>) {
    this.#store = store;
    this.#options = options;
    this.#mayClaim = options.after === undefined;
    void options.after?.then(() => {
      this.#mayClaim = true;
      this.#takeMore();
    });
    this.ready = ready.then(() => this.wake());
    this.ready.catch(() => {});
  }

  /** There may be new work: looks for it, now or as soon as the look under way is over. */
  wake(): void {
    this.#moreReady = true;
    this.#takeMore();
  }

  /** Looks for work, unless it may not yet, there is no room for it, or none is known of. */
  #takeMore(): void {
    if (!this.#mayClaim || this.#stopping || this.#looking || !this.#moreReady || this.#free <= 0) return;
    this.#looking = this.#look().catch((error) => {
      logError("look for tasks to run", error);
      this.#wakeIn(STORE_RETRY_MS);
    }).finally(() => {
      this.#looking = undefined;
      this.#stopEarly.clear();
      this.#takeMore();
    });
  }

  get #free(): number {
    return this.#options.concurrency - this.#running.size;
  }

  /** Hears of a change: a task of ours that is to stop, or that is no longer ours, gets its signal. */
  receive(task: TaskInfo): void {
    const running = this.#running.get(task.id);
    if (running === undefined) {
      if (this.#looking && "stopRequested" in task) this.#stopEarly.set(task.id, task);
      return;
    }
    if (task.revision <= running.revision) return;
    const ours = (task.status === "RUNNING" || task.status === "INPUT_REQUIRED") && task.attempt === running.attempt;
    if ("stopRequested" in task) running.controller.abort(new TaskCancelled());
    else if (ours) running.asking.hear(task);
    else this.lose(task.id);
  }

  /** Hears that changes may have been missed. */
  recheck(): void {
    for (const { asking } of this.#running.values()) asking.hear();
    this.wake();
  }

  /** The hold on a task is lost: somebody else may run it now. */
  lose(id: string): void {
    this.#running.get(id)?.controller.abort(new HoldLost());
  }

  /** Called again, it shortens the grace. */
  stop(grace: number): Promise<void> {
    if (this.#stopping === undefined) return this.#stopping = this.#stop(grace);
    void doneWithin(this.#stopping, grace).then((done) => done || this.#hurry.resolve(), () => {});
    return this.#stopping;
  }

  async #look(): Promise<void> {
    while (!this.#stopping && this.#moreReady && this.#free > 0) {
      this.#moreReady = false;
      const { claims, failed = [], more, dueIn = Infinity } = await this.#store.claim(this.#free);
      if (more) this.#moreReady = true;
      for (const claim of claims) this.#start(claim);
      for (const { id, end } of failed) this.#write(id, end);
      if (dueIn !== Infinity) this.#wakeIn(dueIn);
    }
  }

  #wakeIn(ms: number): void {
    if (this.#stopping) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), Math.min(LONGEST_TIMER_MS, ms));
  }

  #start({ task, input, timeout }: ClaimedTask): void {
    const controller = new AbortController();
    const { signal } = controller;
    // A task that this worker has lost may come back to it while its code still runs: what that says is past.
    const isPast = () => (this.#running.get(task.id)?.controller ?? controller) !== controller;
    let over = false;
    const isOver = () => over || isPast();
    const asking = new Asking(this.#insisting(isOver), task.id, signal);
    const ask = async (question: Question) => {
      if (isOver()) throw new JobsError("The attempt is over.");
      return await asking.ask(question);
    };
    const { report } = mergeReports(async (newest) => isPast() ? undefined : await this.#store.report(task.id, newest));
    const claim: Claim = { task, input, timeout, signal, report, ask };
    const done = this.#options.run(claim).then((attempt) => {
      over = true;
      if (isPast()) return;
      this.#running.delete(task.id);
      const handBack = this.#stopping && signal.aborted && attempt.kind !== "value";
      this.#write(
        task.id,
        () => handBack ? this.#store.handBack(task.id, isAbandoned(attempt)) : this.#store.settle(task.id, attempt),
      );
      this.#takeMore();
    });
    this.#running.set(task.id, { revision: task.revision, attempt: task.attempt, controller, asking, done });
    const stop = this.#stopEarly.get(task.id);
    if (stop) this.receive(stop);
  }

  /** The store as a job that asks sees it: no job fails because its store is away. */
  #insisting(isOver: () => boolean): AskingStore {
    const insist = async <T>(act: () => Promise<T>): Promise<T> => {
      while (true) {
        try {
          return await act();
        } catch (error) {
          if (error instanceof InvalidValue || isOver() || this.#closed.signal.aborted) throw error;
          logError("store a question, or read its answer", error);
          await pause(STORE_RETRY_MS, this.#closed.signal);
        }
      }
    };
    return {
      ask: (id, question) => insist(() => this.#store.ask(id, question)),
      answer: (id, key) => insist(() => this.#store.answer(id, key)),
    };
  }

  /** Writes how a task ended, again and again while the store fails: what has been done must not be lost. */
  #write(id: string, write: () => Promise<void>): void {
    const attempt = async () => {
      while (true) {
        try {
          return await this.#writeOrFault(id, write);
        } catch (error) {
          logError("store how an attempt has ended", error);
          if (this.#closed.signal.aborted) return;
          await pause(STORE_RETRY_MS);
        }
      }
    };
    const settling: Promise<void> = attempt().finally(() => this.#settling.delete(settling));
    this.#settling.add(settling);
  }

  /** What can never be stored ends its task with a fault that says so. */
  async #writeOrFault(id: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      const message = `The result of the attempt could not be stored: ${error.message}`;
      await this.#store.settle(id, { kind: "fault", message });
    }
  }

  async #stop(grace: number): Promise<void> {
    clearTimeout(this.#timer);
    await this.#looking; // What it claims is ours to finish or to hand back.
    await this.#allDone(grace, this.#hurry.promise);
    this.#closed.abort(new WorkerStopping());
    for (const { controller } of this.#running.values()) controller.abort(this.#closed.signal.reason);
    await this.#allDone(ABORT_GRACE_MS);
    for (const id of this.#running.keys()) this.#write(id, () => this.#store.handBack(id, true));
    await Promise.all(this.#settling);
  }

  /** Resolves when nothing runs any more, after `ms`, or as soon as `unless` does. */
  async #allDone(ms: number, unless?: Promise<void>): Promise<void> {
    if (this.#running.size === 0) return;
    const done = Promise.all([...this.#running.values()].map(({ done }) => done));
    await doneWithin(unless ? Promise.race([done, unless]) : done, ms);
  }
}
