/**
 * Frees a worker's slot while a run only waits, for an answer or for a time.
 *
 * @module
 */
import type { Claim } from "../backend.ts";
import { JobsError, WorkerStopping } from "../errors.ts";
import type { Answer, NewQuestion } from "../task.ts";
import { doneWithin, LONGEST_TIMER_MS, pause, turn, unlessAborted } from "../waiting.ts";

/** A shorter sleep never parks, in ms: the writes of parking and of the next claim take about as long. */
const SHORTEST_MS = 100;

/** A wait that the code may have left behind parks only after nothing else has ended for so long, in ms. */
const LEFT_MS = 1_000;

/** A wait of the code, for an answer or a time. */
interface Wait {
  /** When the time has come, in ms since the epoch. */
  readonly until?: number;
  /** How much had ended in this run when it began. */
  readonly begun: number;
}

/** What waits need of a claim. */
type ParkingClaim = Pick<Claim, "ask" | "now" | "park" | "signal" | "stored">;

/** The waits of one run. */
export class Parking {
  readonly #claim: ParkingClaim;
  readonly #after: number;
  readonly #stopping: AbortSignal | undefined;
  /** Parks the task if the worker stops while the code only waits. */
  readonly #onAbort: EventListenerObject;
  #isOver = false;
  /** Created for the first wait: most code never waits, and an abort costs more than everything else of such an attempt. */
  #over: AbortController | undefined;
  #combined: AbortSignal | undefined;
  readonly #waits = new Set<Wait>();
  /** How many waits and steps have ended, and when the last one did, in ms. */
  #endings = 0;
  #endedAt = 0;
  /** Resolves once every question so far is ready to be asked; `undefined` if there is none. */
  #prepared: Promise<unknown> | undefined;
  /** How many steps are running: the task is not parked meanwhile. */
  #steps = 0;
  #idle = Promise.withResolvers<void>();
  #parking: Promise<void> | undefined;

  /**
   * `after`: how long a wait keeps the slot, in ms. `stopping` aborts when the worker begins to stop: a wait for an answer
   * keeps the slot no longer then, unless it never parks.
   */
  constructor(claim: ParkingClaim, after: number, stopping?: AbortSignal) {
    this.#claim = claim;
    this.#after = after;
    this.#stopping = stopping;
    // An object: with a function in its own field, V8 kept this object, and the whole run, until the next full collection.
    this.#onAbort = {
      handleEvent: () => {
        if (claim.signal.reason instanceof WorkerStopping && this.waits) void this.#park();
      },
    };
    // The first to listen, so that the task is parked before the code is told and ends.
    claim.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Whether the run does nothing but wait, as far as can be told. */
  get waits(): boolean {
    if (this.#steps > 0 || this.#waits.size === 0) return false;
    return performance.now() - this.#endedAt >= LEFT_MS || ![...this.#waits].some((wait) => this.#mayBeLeft(wait));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A step has ended, or something that the code has waited for is there. */
  noteEnd(): void {
    this.#endings++;
    this.#endedAt = performance.now();
  }

  /**
   * The code repeats a question whose answer is known: once it has had a turn with the steps beside it that were recorded,
   * `deliver` makes what it gets. `read` resolves when these steps are read. A time that is over waits for all of that.
   */
  async repeating<T>(read: () => Promise<unknown>, deliver: () => Promise<T>): Promise<T> {
    this.#throwIfOver();
    const delivered = (async () => {
      await undefined; // Until then the code may call a step.
      if (this.#steps > 0) {
        await read().then(turn);
        this.#throwIfOver();
      }
      this.noteEnd();
      return await deliver();
    })();
    this.#prepare(delivered);
    return await delivered;
  }

  /** The code asks: resolves with how to ask, once what it asks is checked. */
  async asking(checked: Promise<unknown>): Promise<Claim["ask"]> {
    const begun = this.#endings;
    this.#prepare(checked);
    await checked;
    return (question) => this.#ask(question, begun);
  }

  #prepare(prepared: Promise<unknown>): void {
    const settled = prepared.then(() => {}, () => {}); // Whoever prepares it gets its error.
    this.#prepared = this.#prepared?.then(() => settled) ?? settled;
  }

  async #ask(question: NewQuestion, begun: number): Promise<Answer> {
    this.#throwIfOver();
    const wait: Wait = { begun };
    try {
      this.#waits.add(wait);
      const answer = unlessAborted(this.#claim.ask(question), this.#signal);
      // An answer of an earlier run is there by then.
      await Promise.race([answer.catch(() => {}), this.#claim.stored()]);
      return await this.#await(wait, answer, this.#after, this.#stopping);
    } finally {
      this.#waits.delete(wait);
      this.noteEnd();
    }
  }

  /**
   * Resolves with the wait for the time that `due` resolves with, in ms since the epoch by the store's clock, or with
   * `undefined` if it has passed. The task is not parked before that time is known, and is never parked beyond it, nor by a
   * sleep inside a step.
   */
  async sleep(due: () => Promise<number>, isInside: boolean): Promise<(() => Promise<void>) | undefined> {
    const begun = this.#endings;
    const sleep = await this.duringStep(async () => {
      const until = await due();
      if (until > this.#claim.now()) {
        const sleep = { until, begun };
        this.#waits.add(sleep);
        return sleep;
      }
      // Beside a question, an earlier run may have gone on with the answer, before this time had come.
      if (this.#prepared) await this.#answersHandled();
      this.noteEnd();
    });
    if (sleep === undefined) return undefined;
    return async () => {
      try {
        if (this.#claim.signal.reason instanceof WorkerStopping && !isInside) {
          for (; this.#steps > 0; await turn()) await this.#idle.promise; // The code has a turn with its result, too.
          return await this.park();
        }
        const longest = Math.max(this.#after, SHORTEST_MS);
        const parks = sleep.until - this.#claim.now() > longest;
        if (parks) await this.#answersHandled();
        // A wait that takes far longer than it was to take does so because the clock was set back.
        await this.#await(sleep, this.#waitUntil(sleep.until), parks ? 0 : 2 * longest);
      } finally {
        this.#waits.delete(sleep);
        this.noteEnd();
      }
    };
  }

  /** Runs a step. The task is not parked before it has ended. Rejects if the attempt is over, or the task is being parked. */
  async duringStep<T>(run: () => Promise<T>): Promise<T> {
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
    const until = Math.min(...[...this.#waits].map(({ until = Infinity }) => until));
    return this.#parking ??= this.#claim.park(until < Infinity ? until : undefined);
  }

  /** The attempt is over: nothing parks the task any more, and what still waits rejects with this, or an error that says so. */
  end(reason?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#claim.signal.removeEventListener("abort", this.#onAbort);
    // Aborting, or an error alone, costs more than everything else of most attempts, in which nothing waits.
    if (this.#waits.size > 0) this.#over?.abort(reason ?? attemptOver());
    else this.#combined = undefined;
  }

  #throwIfOver(): void {
    this.#claim.signal.throwIfAborted();
    if (this.#isOver) throw attemptOver();
  }

  /** Aborts when the code is to stop, or the attempt is over. */
  get #signal(): AbortSignal {
    if (this.#combined) return this.#combined;
    this.#over = new AbortController();
    if (this.#isOver) this.#over.abort(attemptOver());
    return this.#combined = AbortSignal.any([this.#claim.signal, this.#over.signal]);
  }

  /** Whether the code may go on without it, as after `Promise.race`: something that it did beside has ended. */
  #mayBeLeft({ begun }: Wait): boolean {
    return begun !== this.#endings;
  }

  /** Waits for `done`, and parks the task if that takes longer than `ms`, or the signal aborts. */
  async #await<T>(wait: Wait, done: Promise<T>, ms: number, signal?: AbortSignal): Promise<T> {
    const inTime = (ms: number, signal?: AbortSignal) => {
      return ms === Infinity ? done.then(() => true) : doneWithin(done, Math.min(ms, LONGEST_TIMER_MS), signal);
    };
    if (await inTime(ms, signal)) return await done;
    while (this.#steps > 0 || this.#mayBeLeft(wait)) {
      if (this.#steps > 0) {
        // Then the code has a turn with the step's result: it may end, or begin another step.
        const idle = this.#idle.promise.then(() => pause(0, this.#signal));
        if (await Promise.race([done.then(() => true), idle.then(() => false)])) return await done;
      } else {
        const before = this.#endings;
        if (await inTime(Math.max(this.#after, LEFT_MS))) return await done;
        if (this.#steps === 0 && this.#endings === before) break;
      }
    }
    done.catch(() => {}); // It rejects with the reason with which this does.
    if (this.#isOver) throw attemptOver();
    return await this.park();
  }

  /** Resolves once the code has had a turn with each answer that existed when it asked: it may no longer sleep then. */
  async #answersHandled(): Promise<void> {
    let prepared: Promise<unknown> | undefined;
    do {
      prepared = this.#prepared;
      await unlessAborted(Promise.resolve(prepared), this.#signal);
      await unlessAborted(this.#claim.stored(), this.#signal);
      await pause(0, this.#signal);
      this.#signal.throwIfAborted();
    } while (prepared !== this.#prepared);
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
