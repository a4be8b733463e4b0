/**
 * Frees a worker's slot while a run only waits, for an answer or for a time.
 *
 * @module
 */
import type { Claim } from "../backend.ts";
import { JobsError, WorkerStopping } from "../errors.ts";
import type { Answer, NewQuestion } from "../task.ts";
import { doneWithin, LONGEST_TIMER_MS, pause, unlessAborted } from "../waiting.ts";

/** A shorter sleep never parks, in ms: the writes of parking and of the next claim take about as long. */
const SHORTEST_MS = 100;

/** What waits need of a claim. */
type ParkingClaim = Pick<Claim, "answers" | "ask" | "now" | "park" | "signal" | "stored">;

/** The waits of one run. */
export class Parking {
  readonly #claim: ParkingClaim;
  readonly #after: number;
  /** Parks the task if the worker stops while the code only waits. */
  readonly #onAbort: EventListenerObject;
  #isOver = false;
  /** Created for the first wait: most code never waits, and an abort costs more than everything else of such an attempt. */
  #ended: AbortController | undefined;
  #combined: AbortSignal | undefined;
  /** What the code sleeps until. */
  readonly #sleeps = new Set<{ readonly until: number }>();
  #questions = 0;
  /** How many steps are running: the task is not parked meanwhile. */
  #steps = 0;
  #idle = Promise.withResolvers<void>();
  #parking: Promise<void> | undefined;

  /** `after`: how long a wait keeps the slot, in ms. */
  constructor(claim: ParkingClaim, after: number) {
    this.#claim = claim;
    this.#after = after;
    // An object: with a function in its own field, V8 kept this object, and the whole run, until the next full collection.
    this.#onAbort = {
      handleEvent: () => {
        if (claim.signal.reason instanceof WorkerStopping && this.waits) void this.#park();
      },
    };
    // The first to listen, so that the task is parked before the code hears of it and ends.
    claim.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Whether the run waits, and no step is running. */
  get waits(): boolean {
    return this.#steps === 0 && this.#questions + this.#sleeps.size > 0;
  }

  /** Whether the attempt is over. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Asks, and resolves with the answer. */
  async ask(question: NewQuestion): Promise<Answer> {
    this.#throwIfOver();
    const known = this.#claim.answers?.[question.key];
    if (known) return known;
    this.#questions++;
    try {
      const answer = unlessAborted(this.#claim.ask(question), this.#signal);
      // An answer of an earlier run is there by then.
      await Promise.race([answer.catch(() => {}), this.#claim.stored()]);
      return await this.#await(answer, this.#after);
    } finally {
      this.#questions--;
    }
  }

  /**
   * Resolves with the wait for the time that `due` resolves with, in ms since the epoch by the store's clock, or with
   * `undefined` if it has passed. The task is not parked before that time is known, and is never parked beyond it.
   */
  async sleep(due: () => Promise<number>): Promise<(() => Promise<void>) | undefined> {
    const sleep = await this.during(async () => {
      const until = await due();
      const sleep = until > this.#claim.now() ? { until } : undefined;
      if (sleep) this.#sleeps.add(sleep);
      return sleep;
    });
    if (sleep === undefined) return undefined;
    return async () => {
      try {
        if (this.#claim.signal.reason instanceof WorkerStopping) return await this.park();
        const longest = Math.max(this.#after, SHORTEST_MS);
        const parks = sleep.until - this.#claim.now() > longest;
        if (parks) await this.#answersHandled();
        // A wait that takes far longer than it was to take does so because the clock was set back.
        await this.#await(this.#waitUntil(sleep.until), parks ? 0 : 2 * longest);
      } finally {
        this.#sleeps.delete(sleep);
      }
    };
  }

  /** Runs a step. The task is not parked before it has ended. Rejects if the attempt is over, or the task is being parked. */
  async during<T>(run: () => Promise<T>): Promise<T> {
    if (this.#parking) await this.park();
    this.#throwIfOver();
    if (this.#steps++ === 0) this.#idle = Promise.withResolvers();
    try {
      return await run();
    } finally {
      if (--this.#steps === 0) this.#idle.resolve();
    }
  }

  /** Parks the task now, and rejects with the reason of the signal. */
  async park(): Promise<never> {
    await this.#park();
    this.#signal.throwIfAborted();
    throw attemptOver();
  }

  #park(): Promise<void> {
    return this.#parking ??= this.#claim.park(
      this.#sleeps.size > 0 ? Math.min(...[...this.#sleeps].map(({ until }) => until)) : undefined,
    );
  }

  /** The attempt is over: nothing parks the task any more, and what still waits rejects with this, or an error that says so. */
  end(reason?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#claim.signal.removeEventListener("abort", this.#onAbort);
    // Aborting, or an error alone, costs more than everything else of most attempts, in which nothing waits.
    if (this.#questions + this.#sleeps.size > 0) this.#ended?.abort(reason ?? attemptOver());
    else this.#combined = undefined;
  }

  #throwIfOver(): void {
    this.#claim.signal.throwIfAborted();
    if (this.#isOver) throw attemptOver();
  }

  /** Aborts when the code is to stop, or the attempt is over. */
  get #signal(): AbortSignal {
    if (this.#combined) return this.#combined;
    this.#ended = new AbortController();
    if (this.#isOver) this.#ended.abort(attemptOver());
    return this.#combined = AbortSignal.any([this.#claim.signal, this.#ended.signal]);
  }

  /** Waits for `done`, and parks the task if that takes longer than `ms`. */
  async #await<T>(done: Promise<T>, ms: number): Promise<T> {
    const inTime = ms === Infinity ? done.then(() => true) : doneWithin(done, Math.min(ms, LONGEST_TIMER_MS));
    if (await inTime) return await done;
    while (this.#steps > 0) {
      // Then the code has a turn with the step's result: it may end, or begin another step.
      const idle = this.#idle.promise.then(() => pause(0, this.#signal));
      if (await Promise.race([done.then(() => true), idle.then(() => false)])) return await done;
    }
    done.catch(() => {}); // It rejects with the reason with which this does.
    if (this.#isOver) throw attemptOver();
    return await this.park();
  }

  /** Resolves once the code has had a turn with each answer that existed when it asked: it may no longer sleep then. */
  async #answersHandled(): Promise<void> {
    await unlessAborted(this.#claim.stored(), this.#signal);
    await pause(0, this.#signal);
    this.#signal.throwIfAborted();
  }

  async #waitUntil(until: number): Promise<void> {
    for (let left = until - this.#claim.now(); left > 0; left = until - this.#claim.now()) {
      await pause(Math.min(left, LONGEST_TIMER_MS), this.#signal);
      this.#signal.throwIfAborted();
    }
  }
}

/** The error for what is called after the end of the attempt. */
function attemptOver(): JobsError {
  return new JobsError("The attempt is over.");
}
