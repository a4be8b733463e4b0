/**
 * The worker's side of the stores that are ours: slots, claims, progress, cancellation and shutdown.
 * A store brings the reading and writing; what happens to a record stands in `record.ts`.
 *
 * @module
 */
import type { Attempt, Claim, ProgressReport, WorkHandle, WorkOptions } from "../backend.ts";
import { JobsError } from "../errors.ts";
import type { Json, Question, TaskInfo } from "../task.ts";
import { Asking, type AskingStore } from "./asking.ts";
import { mergeReports } from "./reports.ts";

/** A task that was just claimed. */
export interface Claimed {
  readonly task: TaskInfo;
  readonly input: Json;
  readonly timeout?: number;
}

/** What a store does for a runner. Each write is a no-op for a task that the runner no longer holds. */
export interface RunnerStore extends AskingStore {
  /** Claims up to `max` tasks that are due, and says when the next one will be. */
  claim(max: number): Promise<{ readonly claims: readonly Claimed[]; readonly dueAt?: number }>;
  report(id: string, report: ProgressReport): Promise<void>;
  settle(id: string, attempt: Attempt): Promise<void>;
  handBack(id: string): Promise<void>;
}

/** How long a job has, after its signal aborts at shutdown, to stop by itself, in ms. */
const ABORT_GRACE_MS = 1_000;

/** The pause before a write is tried again while the store fails, in ms. */
const STORE_RETRY_MS = 500;

interface Running {
  readonly attempt: number;
  readonly controller: AbortController;
  readonly asking: Asking;
  readonly done: Promise<void>;
}

/** Takes tasks from a store and runs them, never more than `concurrency` at once. */
export class Runner implements WorkHandle {
  readonly ready: Promise<void>;
  readonly #store: RunnerStore;
  readonly #options: WorkOptions;
  readonly #running = new Map<string, Running>();
  readonly #settling = new Set<Promise<void>>();
  readonly #closed = new AbortController();
  /** Tasks that were asked to stop while a look was under way, which may be claiming them. */
  readonly #stopEarly = new Map<string, TaskInfo>();
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(store: RunnerStore, options: WorkOptions, ready: Promise<void>) {
    this.#store = store;
    this.#options = options;
    this.ready = ready.then(() => this.wake());
    this.ready.catch(() => {});
  }

  /** Looks for work, now or as soon as the look under way is over. */
  wake(): void {
    if (this.#stopping) return;
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = this.#look().catch(() => this.#wakeAt(Date.now() + STORE_RETRY_MS)).finally(() => {
      this.#looking = undefined;
      this.#stopEarly.clear();
      if (this.#lookAgain) this.wake();
    });
  }

  /** Hears of a change: a task of ours that is to stop, or that is no longer ours, gets its signal. */
  receive(task: TaskInfo): void {
    const running = this.#running.get(task.id);
    if (running === undefined) {
      if (this.#looking && "stopRequested" in task) this.#stopEarly.set(task.id, task);
      return;
    }
    const ours = (task.status === "RUNNING" || task.status === "INPUT_REQUIRED") && task.attempt === running.attempt;
    if ("stopRequested" in task) running.controller.abort(new JobsError("The task was cancelled."));
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
    this.#running.get(id)?.controller.abort(new JobsError("This worker no longer holds the task."));
  }

  stop(grace: number): Promise<void> {
    return this.#stopping ??= this.#stop(grace);
  }

  async #look(): Promise<void> {
    while (!this.#stopping) {
      this.#lookAgain = false;
      const free = this.#options.concurrency - this.#running.size;
      if (free <= 0) return;
      const { claims, dueAt } = await this.#store.claim(free);
      for (const claim of claims) this.#start(claim);
      if (dueAt !== undefined) this.#wakeAt(dueAt);
      if (claims.length === 0 && !this.#lookAgain) return;
    }
  }

  #wakeAt(time: number): void {
    if (this.#stopping) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), Math.min(2 ** 31 - 1, Math.max(0, time - Date.now())));
  }

  #start({ task, input, timeout }: Claimed): void {
    const controller = new AbortController();
    const { signal } = controller;
    const asking = new Asking(this.#store, task.id, signal);
    const ask = (question: Question) => asking.ask(question);
    const report = mergeReports((newest) => this.#store.report(task.id, newest));
    const claim: Claim = { task, input, timeout, signal, report, ask };
    const done = this.#options.run(claim).then((attempt) => {
      this.#running.delete(task.id);
      const handBack = this.#stopping && signal.aborted && attempt.kind !== "value";
      this.#write(() => handBack ? this.#store.handBack(task.id) : this.#store.settle(task.id, attempt));
      this.wake();
    });
    this.#running.set(task.id, { attempt: task.attempt, controller, asking, done });
    const stop = this.#stopEarly.get(task.id);
    if (stop) this.receive(stop);
  }

  /** Writes how a task ended, again and again while the store fails: what has been done must not be lost. */
  #write(write: () => Promise<void>): void {
    const attempt = async () => {
      while (true) {
        try {
          return await write();
        } catch {
          if (this.#closed.signal.aborted) return;
          await new Promise((resolve) => setTimeout(resolve, STORE_RETRY_MS));
        }
      }
    };
    const settling: Promise<void> = attempt().finally(() => this.#settling.delete(settling));
    this.#settling.add(settling);
  }

  async #stop(grace: number): Promise<void> {
    clearTimeout(this.#timer);
    await this.#looking; // What it claims is ours to finish or to hand back.
    await this.#allDone(grace);
    this.#closed.abort(new JobsError("The worker shuts down."));
    for (const { controller } of this.#running.values()) controller.abort(this.#closed.signal.reason);
    await this.#allDone(ABORT_GRACE_MS);
    for (const id of this.#running.keys()) this.#write(() => this.#store.handBack(id));
    await Promise.all(this.#settling);
  }

  /** Resolves when nothing runs any more, or after `ms`. */
  async #allDone(ms: number): Promise<void> {
    if (this.#running.size === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeUp = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
    await Promise.race([Promise.all([...this.#running.values()].map(({ done }) => done)), timeUp]);
    clearTimeout(timer);
  }
}
