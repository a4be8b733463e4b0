/**
 * Batches calls: those made while a batch is under way form the next one. A single call does not wait, and the more calls
 * there are at once, the fewer round trips they cost.
 *
 * @module
 */
import { Deadline } from "./deadline.ts";

interface Call<In, Out> {
  readonly input: In;
  readonly size: number;
  /** Ends the limit of its wait. */
  endLimit?: () => void;
  readonly resolve: (output: Out) => void;
  readonly reject: (reason: unknown) => void;
}

export interface BatchOptions {
  /** How many batches may be under way; default 1. */
  readonly atOnce?: number;
  /**
   * How many calls must be waiting for another batch to start while one is under way; default: a full batch. Fewer wait
   * for the answer first, which saves round trips.
   */
  readonly enough?: number;
  /** The most that may be under way, by size. A larger call goes alone. */
  readonly maxSize?: number;
  /** Waits for an answer, and rejects if it does not come within the time that fits its size. */
  readonly inTime?: <T>(answer: Promise<T>, size: number) => Promise<T>;
  /** How long a call waits to be sent, in ms; then it is refused. */
  readonly queueTimeout?: number;
  /** Whether the calls that wait behind a batch would fail with the same error; then they are rejected with it at once. */
  readonly isFatal?: (error: unknown) => boolean;
}

/** Turns a function for up to `max` inputs into one for a single input. `sizeOf` measures a call for `maxSize` and `inTime`. */
export function batched<In, Out>(
  many: (inputs: readonly In[]) => Promise<readonly Out[]>,
  max: number,
  options: BatchOptions = {},
  sizeOf: (input: In) => number = () => 0,
): (input: In) => Promise<Out> {
  const batches = new Batches(many, max, options, sizeOf);
  return (input) => batches.call(input);
}

class Batches<In, Out> {
  readonly #many: (inputs: readonly In[]) => Promise<readonly Out[]>;
  readonly #max: number;
  readonly #options: Required<BatchOptions>;
  readonly #sizeOf: (input: In) => number;
  readonly #waiting = new Set<Call<In, Out>>();
  /** Those of this tick. */
  readonly #arrived: Call<In, Out>[] = [];
  readonly #turn: Deadline | undefined;
  #underWay = 0;
  #sizeUnderWay = 0;
  /** Set while a batch that was given up is not answered; resolves when it is, or is known to be lost. */
  #silence: Promise<void> | undefined;

  constructor(
    many: (inputs: readonly In[]) => Promise<readonly Out[]>,
    max: number,
    options: BatchOptions,
    sizeOf: (input: In) => number,
  ) {
    this.#many = many;
    this.#max = max;
    const defaults = { atOnce: 1, enough: max, maxSize: Infinity, queueTimeout: Infinity, isFatal: () => false };
    const { queueTimeout: ms } = options;
    if (ms) this.#turn = new Deadline(`it is busy, and this was not sent to it within ${ms} ms; try again later`, ms);
    this.#options = { ...defaults, inTime: (answer) => answer, ...options };
    this.#sizeOf = sizeOf;
  }

  call(input: In): Promise<Out> {
    // Nothing is sent while an earlier batch is unanswered, because it might still be carried out.
    if (this.#silence) return this.#options.inTime(this.#silence, 0).then(() => this.#queue(input));
    return this.#queue(input);
  }

  #queue(input: In): Promise<Out> {
    return new Promise<Out>((resolve, reject) => {
      const call: Call<In, Out> = { input, size: this.#sizeOf(input), resolve, reject };
      this.#waiting.add(call);
      if (this.#arrived.push(call) > 1) return;
      // Calls of the same tick join the batch.
      queueMicrotask(() => {
        const arrived = this.#arrived.splice(0);
        this.#send();
        for (const call of arrived) if (this.#waiting.has(call)) this.#limit(call);
      });
    });
  }

  /** Refuses a call if its turn does not come in time. */
  #limit(call: Call<In, Out>): void {
    call.endLimit = this.#turn?.begin((error) => {
      this.#leave(call);
      call.reject(error);
    });
  }

  /** A call no longer waits for its turn. */
  #leave(call: Call<In, Out>): void {
    this.#waiting.delete(call);
    call.endLimit?.();
  }

  #send(): void {
    while (this.#waiting.size > 0 && !this.#silence) {
      const { atOnce, enough } = this.#options;
      const goes = this.#underWay === 0 || this.#underWay < atOnce && this.#waiting.size >= enough;
      const batch = goes ? this.#take() : [];
      if (batch.length === 0) break;
      void this.#run(batch);
    }
  }

  /** The calls of the next batch; none while too much is under way. */
  #take(): readonly Call<In, Out>[] {
    const batch: Call<In, Out>[] = [];
    let size = this.#sizeUnderWay;
    for (const call of this.#waiting) {
      if (batch.length === this.#max || size > 0 && size + call.size > this.#options.maxSize) break;
      this.#leave(call);
      batch.push(call);
      size += call.size;
    }
    return batch;
  }

  async #run(batch: readonly Call<In, Out>[]): Promise<void> {
    const size = batch.reduce((sum, call) => sum + call.size, 0);
    let over = false;
    this.#underWay++;
    this.#sizeUnderWay += size;
    const answer = this.#many(batch.map(({ input }) => input));
    const end = () => {
      over = true;
      this.#underWay--;
      this.#sizeUnderWay -= size;
      if (this.#silence === ended) this.#silence = undefined;
      this.#send();
    };
    const ended: Promise<void> = answer.then(end, (error) => {
      if (this.#options.isFatal(error)) this.#rejectWaiting(error);
      end();
    });
    try {
      const outputs = await this.#options.inTime(answer, size);
      // There is an output for each input; a missing one is `undefined`, if `Out` allows it.
      batch.forEach(({ resolve }, index) => resolve(outputs[index] as Out));
    } catch (error) {
      for (const { reject } of batch) reject(error);
      if (over) return;
      this.#silence ??= ended;
      this.#rejectWaiting(error);
    }
  }

  #rejectWaiting(error: unknown): void {
    for (const call of this.#waiting) {
      this.#leave(call);
      call.reject(error);
    }
  }
}
