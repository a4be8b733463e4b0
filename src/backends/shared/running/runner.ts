/**
 * The worker of every store: slots, claims, progress, cancellation and shutdown. The store reads and writes; `record.ts`
 * decides what becomes of a task.
 *
 * @module
 */
import type { Claim, WorkHandle, WorkOptions } from "../../../backend.ts";
import { HoldLost, TaskCancelled, TaskParked, WorkerStopping } from "../../../errors.ts";
import { type OnError, reporterOf } from "../../../log/on_error.ts";
import { orderOf } from "../../../recent.ts";
import type { TaskInfo } from "../../../task.ts";
import type { NewLines } from "../../../task_log/newest_lines.ts";
import { doneWithin, LONGEST_TIMER_MS, turn } from "../../../waiting.ts";
import { isAbandoned } from "../record.ts";
import type { OpenQuestions } from "./open_questions.ts";
import { STORE_RETRY_MS, StoreRetries } from "./store_retries.ts";
import { RunCalls, type RunStore } from "./run_calls.ts";
import type { ClaimedTask, RunnerStore } from "./runner_store.ts";

/** How long a job has, after its signal aborts at shutdown, to stop by itself, in ms. */
export const ABORT_GRACE_MS = 1_000;

interface Running {
  /** The task as it was claimed; events of older revisions are outdated. */
  readonly task: ClaimedTask["task"];
  readonly controller: AbortController;
  readonly questions: OpenQuestions;
  /** Takes no more from its code, and stores the lines that it has logged. */
  readonly giveUp: () => Promise<void> | undefined;
  readonly done: Promise<void>;
}

/** Takes tasks from a store and runs them, never more than `concurrency` at once. */
export class Runner implements WorkHandle {
  /** Resolves once it takes tasks; rejects as the `ready` that it was given. */
  readonly ready: Promise<void>;
  readonly #store: RunnerStore;
  readonly #options: WorkOptions;
  readonly #onError: OnError;
  readonly #running = new Map<string, Running>();
  /** New tasks that are being stored and claimed at once, by id; each has a slot. */
  readonly #starting = new Map<string, Promise<boolean>>();
  readonly #retries: StoreRetries;
  /** Tasks that were asked to stop while they are, or may be, being claimed. */
  readonly #stopRequests = new Map<string, TaskInfo>();
  /** Whether tasks may be ready: not after a claim that found no more, until an event announces some. */
  #mayBeReady = true;
  #mayClaim: boolean;
  #claiming: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopping: Promise<void> | undefined;
  /** Why the code is to stop; set once the grace is over. */
  #reason: WorkerStopping | undefined;
  /** Resolves when a later call of `stop` has cut the grace short. */
  readonly #graceOver = Promise.withResolvers<void>();

  /** Begins to claim tasks once `ready` resolves, and `options.after` does. */
  constructor(store: RunnerStore, options: WorkOptions, ready: Promise<void>) {
    this.#store = store;
    this.#options = options;
    this.#onError = reporterOf(options.onError);
    this.#retries = new StoreRetries(store, this.#onError);
    this.#mayClaim = options.after === undefined;
    void options.after?.then(() => {
      this.#mayClaim = true;
      this.#claimMore();
    });
    this.ready = ready.then(() => this.wake());
    this.ready.catch(() => {}); // Whoever awaits it gets the error.
  }

  /** Tasks may be ready: claims some, now or as soon as the claim under way is over. */
  wake(): void {
    this.#mayBeReady = true;
    this.#claimMore();
  }

  /** Claims tasks, if it may, has free slots, and tasks may be ready. */
  #claimMore(): void {
    if (this.#claiming || !this.#mayBeReady || !this.#isFree) return;
    this.#claiming = this.#claim().catch((error) => {
      if (!this.#stopping) this.#onError(error, { where: "look for tasks to run" });
      this.#wakeIn(STORE_RETRY_MS);
    }).finally(() => {
      this.#claiming = undefined;
      for (const id of this.#stopRequests.keys()) if (!this.#starting.has(id)) this.#stopRequests.delete(id);
      this.#claimMore();
    });
  }

  /** Whether it may claim, and has a free slot. */
  get #isFree(): boolean {
    return this.#mayClaim && !this.#stopping && this.#free > 0;
  }

  get #free(): number {
    return this.#options.concurrency - this.#running.size - this.#starting.size;
  }

  /**
   * Gives a free slot to a new task. `store` stores it, and claims it if it may begin at once. Resolves with whether it was
   * stored. Returns `undefined`, without a call of `store`, where no slot is free or other tasks may wait for one.
   */
  start(id: string, store: () => Promise<ClaimedTask | boolean>): Promise<boolean> | undefined {
    if (this.#claiming || this.#mayBeReady || !this.#isFree) return undefined;
    const start = async () => {
      try {
        const claim = await store();
        if (typeof claim === "boolean") return claim;
        this.#start(claim);
        return true;
      } finally {
        this.#starting.delete(id);
        this.#stopRequests.delete(id);
        this.#claimMore();
      }
    };
    const starting = start();
    this.#starting.set(id, starting);
    return starting;
  }

  /** Takes a changed task: aborts the signal of one that is to stop, or that this worker no longer holds. */
  receive(task: TaskInfo): void {
    const running = this.#running.get(task.id);
    if (running === undefined) {
      const mayBeClaimed = this.#claiming || this.#starting.has(task.id);
      if (mayBeClaimed && "stopRequested" in task) this.#stopRequests.set(task.id, task);
      return;
    }
    if (orderOf(task) <= running.task.revision) return;
    const ours = (task.status === "RUNNING" || task.status === "INPUT_REQUIRED") &&
      task.attempt === running.task.attempt;
    if ("stopRequested" in task) running.controller.abort(new TaskCancelled());
    else if (ours) running.questions.recheck(task);
    else this.lose(task.id);
  }

  /** Changes may have been missed. */
  recheck(): void {
    this.recheckAnswers();
    this.wake();
  }

  /** There may be answers to questions, of all tasks or of one. */
  recheckAnswers(id?: string): void {
    for (const { task, questions } of this.#running.values()) {
      if (id === undefined || task.id === id) questions.recheck();
    }
  }

  /** A running task is to stop. */
  cancel(id: string): void {
    this.#running.get(id)?.controller.abort(new TaskCancelled());
  }

  /** This worker no longer holds a task: another may run it now. Its slot is free, whatever its code does. */
  lose(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#running.delete(id);
    running.controller.abort(new HoldLost());
    this.#claimMore();
  }

  /** Stops as `WorkHandle` says. A second call shortens the grace. */
  stop(grace: number): Promise<void> {
    if (this.#stopping === undefined) return this.#stopping = this.#stop(grace);
    // Whoever awaits the end gets its error.
    void doneWithin(this.#stopping, grace).then((done) => done || this.#graceOver.resolve(), () => {});
    return this.#stopping;
  }

  async #claim(): Promise<void> {
    while (!this.#stopping && this.#mayBeReady && this.#free > 0) {
      if (this.#store.claimsCost) await turn(); // Slots that become free at the same moment are filled by one claim.
      if (this.#stopping) return;
      this.#mayBeReady = false;
      const { claims, failed = [], more, dueIn = Infinity } = await this.#store.claim(this.#free);
      if (more) this.#mayBeReady = true;
      for (const claim of claims) this.#start(claim);
      for (const { task, end } of failed) void this.#retries.write(task, end);
      if (dueIn !== Infinity) this.#wakeIn(dueIn);
    }
  }

  #wakeIn(ms: number): void {
    if (this.#stopping) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), Math.min(LONGEST_TIMER_MS, ms));
  }

  #start(claimed: ClaimedTask): void {
    const { task, task: { id } } = claimed;
    const store = this.#store;
    const controller = new AbortController();
    const { signal } = controller;
    // A task that this worker has lost may come back to it while the code of its first run is still running.
    const isPast = () => (this.#running.get(id)?.controller ?? controller) !== controller;
    let [over, parked] = [false, false];
    const isOver = () => over || parked || isPast();
    const isDropped = ({ lines }: NewLines) => parked && lines.length === 0;
    const calls = new RunCalls(
      ofRun(store, task, this.#retries.of(task, isOver), isDropped),
      signal,
      isOver,
      (error) => this.#onError(error, { where: "store what a task reports", job: task.job, task: id }),
    );
    const { questions, reports } = calls;
    const park = async (until?: number) => {
      if (isOver()) return;
      parked = true;
      this.#running.delete(id);
      const [awaited, asked] = [{ keys: questions.awaited, until }, questions.stored()];
      const stored = this.#retries.write(task, async () => {
        await asked;
        await reports.flush();
        await store.park(task, awaited);
      });
      controller.abort(new TaskParked());
      this.#claimMore();
      await stored;
    };
    const claim: Claim = {
      ...claimed,
      signal,
      park,
      now: () => store.now(),
      ...calls.ofClaim,
    };
    const done = this.#options.run(claim).then(async (attempt) => {
      over = true;
      await calls.recorded();
      if (this.#running.get(id)?.controller !== controller) return; // It is parked or lost.
      this.#running.delete(id);
      const handBack = this.#stopping && signal.aborted && attempt.kind !== "value";
      void this.#retries.write(task, async () => {
        await reports.flush();
        await (handBack ? store.handBack(task, isAbandoned(attempt)) : store.settle(task, attempt));
      });
      this.#claimMore();
    });
    const giveUp = () => {
      over = true; // Code that goes on to log would keep the task from its end.
      return reports.flush();
    };
    this.#running.set(id, { task, controller, questions, giveUp, done });
    const stop = this.#stopRequests.get(id);
    if (stop) this.receive(stop);
    if (this.#reason) controller.abort(this.#reason);
  }

  async #stop(grace: number): Promise<void> {
    clearTimeout(this.#timer);
    const claimed = Promise.allSettled([this.#claiming, ...this.#starting.values()]);
    const done = claimed.then(() => Promise.all([...this.#running.values()].map(({ done }) => done)));
    await doneWithin(Promise.race([done, this.#graceOver.promise]), grace);
    const stopping = this.#reason = new WorkerStopping();
    this.#retries.close(stopping);
    for (const { controller } of this.#running.values()) controller.abort(stopping);
    await claimed; // What is being claimed must be finished or handed back.
    await doneWithin(done, ABORT_GRACE_MS);
    for (const { task, giveUp } of this.#running.values()) {
      void this.#retries.write(task, async () => {
        await giveUp();
        await this.#store.handBack(task, true);
      });
    }
    await this.#retries.written();
  }
}

/** The store for the code of one run. What fails is repeated by `retry`, except for reports: the next one follows. */
function ofRun(
  store: RunnerStore,
  task: ClaimedTask["task"],
  retry: <T>(act: () => Promise<T>) => Promise<T>,
  isDropped: (added: NewLines) => boolean,
): RunStore {
  return {
    ask: (questions) => retry(() => store.ask(task, questions)),
    answer: (key) => retry(() => store.answer(task, key)),
    report: async (report, added) => isDropped(added) ? undefined : await store.report(task, report, added),
    steps: () => retry(() => store.steps(task)),
    record: (step) => retry(() => store.record(task, step)),
    forget: (from) => retry(() => store.forget(task, from)),
  };
}
