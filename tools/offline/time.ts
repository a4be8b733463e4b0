/**
 * What stands in for `FakeTime` of @std/testing/time where JSR cannot be reached.
 *
 * @module
 */

/** The clock and the timers as they are. */
const REAL = { Date, setTimeout, clearTimeout, setInterval, clearInterval };
const REAL_TIMEOUT = AbortSignal.timeout;

interface Timer {
  readonly due: number;
  /** The pause of an interval. */
  readonly every?: number;
  readonly run: () => void;
}

let current: FakeTime | undefined;

/** As `FakeTime` of @std/testing/time: until it is disposed of, time passes only when it is told to. */
export class FakeTime implements Disposable {
  readonly #timers = new Map<number, Timer>();
  #now: number;
  #lastId = 0;

  constructor(start: number = REAL.Date.now()) {
    if (current) throw new Error("Cannot construct FakeTime: time is already faked.");
    current = this;
    this.#now = start;
    const now = () => this.#now;
    const clear = (id: number) => void this.#timers.delete(id);
    type Callback = (...args: unknown[]) => void;
    Object.assign(globalThis, {
      Date: new Proxy(REAL.Date, {
        construct: (target, args) => Reflect.construct(target, args.length === 0 ? [this.#now] : args),
        apply: () => new REAL.Date(this.#now).toString(),
        get: (target, name, receiver) => name === "now" ? now : Reflect.get(target, name, receiver),
      }),
      setTimeout: (run: Callback, ms = 0, ...args: unknown[]) => this.#add(() => run(...args), ms),
      setInterval: (run: Callback, ms = 0, ...args: unknown[]) => this.#add(() => run(...args), ms, Math.max(1, ms)),
      clearTimeout: clear,
      clearInterval: clear,
    });
    AbortSignal.timeout = (ms) => {
      const controller = new AbortController();
      this.#add(() => controller.abort(new DOMException("Signal timed out.", "TimeoutError")), ms);
      return controller.signal;
    };
  }

  /** The time, in ms since the epoch. */
  get now(): number {
    return this.#now;
  }

  /** Lets so many ms pass: what is due by then runs, in order. */
  tick(ms = 0): void {
    const end = this.#now + ms;
    for (let next = this.#next(); next !== undefined && next[1].due <= end; next = this.#next()) this.#run(...next);
    this.#now = end;
  }

  /** Lets all that can go on without a timer do so, and then so many ms pass. */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.tick(ms);
  }

  /** Lets time pass until the next timer is due, and runs it. Returns whether there was one. */
  next(): boolean {
    const next = this.#next();
    if (next) this.tick(next[1].due - this.#now);
    return next !== undefined;
  }

  /** Lets all that can go on without a timer do so, and then time pass as `next` does. */
  async nextAsync(): Promise<boolean> {
    await this.runMicrotasks();
    return this.next();
  }

  /** Lets all that can go on without a timer do so. */
  async runMicrotasks(): Promise<void> {
    await new Promise((resolve) => REAL.setTimeout(resolve, 0));
  }

  /** Restores real time; timers that were set on fake time never run. */
  restore(): void {
    if (current !== this) throw new Error("Cannot restore time: time is already restored.");
    current = undefined;
    Object.assign(globalThis, REAL);
    AbortSignal.timeout = REAL_TIMEOUT;
  }

  [Symbol.dispose](): void {
    this.restore();
  }

  #add(run: () => void, ms: number, every?: number): number {
    this.#timers.set(++this.#lastId, { due: this.#now + Math.max(0, Math.floor(ms)), every, run });
    return this.#lastId;
  }

  /** What is due first; of those that are due together, what was set first. */
  #next(): [number, Timer] | undefined {
    return [...this.#timers].reduce<[number, Timer] | undefined>(
      (first, one) => first === undefined || one[1].due < first[1].due ? one : first,
      undefined,
    );
  }

  #run(id: number, { due, every, run }: Timer): void {
    this.#timers.delete(id);
    if (every !== undefined) this.#timers.set(id, { due: due + every, every, run });
    this.#now = due;
    run();
  }
}
