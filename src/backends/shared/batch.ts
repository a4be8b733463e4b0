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
  const { atOnce = 1, enough = max, maxSize = Infinity, inTime = (answer) => answer, queueTimeout } = options;
  const turn = queueTimeout === undefined ? undefined : new Deadline(
    `it is busy, and this was not sent to it within ${queueTimeout} ms; try again later`,
    queueTimeout,
  );
  const waiting = new Set<Call<In, Out>>();
  /** Those of this tick. */
  const arrived: Call<In, Out>[] = [];
  let underWay = 0;
  let sizeUnderWay = 0;
  /** Set while a batch that was given up is not answered; resolves when it is, or is known to be lost. */
  let silence: Promise<void> | undefined;

  const queue = (input: In) =>
    new Promise<Out>((resolve, reject) => {
      const call: Call<In, Out> = { input, size: sizeOf(input), resolve, reject };
      waiting.add(call);
      if (arrived.push(call) > 1) return;
      // Calls of the same tick join the batch.
      queueMicrotask(() => {
        const calls = arrived.splice(0);
        send();
        for (const call of calls) if (waiting.has(call)) limit(call);
      });
    });

  /** Refuses a call if its turn does not come in time. */
  const limit = (call: Call<In, Out>) => {
    call.endLimit = turn?.begin((error) => {
      leave(call);
      call.reject(error);
    });
  };

  /** A call no longer waits for its turn. */
  const leave = (call: Call<In, Out>) => {
    waiting.delete(call);
    call.endLimit?.();
  };

  const send = () => {
    while (waiting.size > 0 && !silence) {
      const goes = underWay === 0 || underWay < atOnce && waiting.size >= enough;
      const batch = goes ? take() : [];
      if (batch.length === 0) break;
      void run(batch);
    }
  };

  /** The calls of the next batch; none while too much is under way. */
  const take = () => {
    const batch: Call<In, Out>[] = [];
    let size = sizeUnderWay;
    for (const call of waiting) {
      if (batch.length === max || size > 0 && size + call.size > maxSize) break;
      leave(call);
      batch.push(call);
      size += call.size;
    }
    return batch;
  };

  const run = async (batch: readonly Call<In, Out>[]) => {
    const size = batch.reduce((sum, call) => sum + call.size, 0);
    let over = false;
    underWay++;
    sizeUnderWay += size;
    const answer = many(batch.map(({ input }) => input));
    const end = () => {
      over = true;
      underWay--;
      sizeUnderWay -= size;
      if (silence === ended) silence = undefined;
      send();
    };
    const ended: Promise<void> = answer.then(end, (error) => {
      if (options.isFatal?.(error)) rejectWaiting(error);
      end();
    });
    try {
      const outputs = await inTime(answer, size);
      // There is an output for each input; a missing one is `undefined`, if `Out` allows it.
      batch.forEach(({ resolve }, index) => resolve(outputs[index] as Out));
    } catch (error) {
      for (const { reject } of batch) reject(error);
      if (over) return;
      silence ??= ended;
      rejectWaiting(error);
    }
  };

  const rejectWaiting = (error: unknown) => {
    for (const call of waiting) {
      leave(call);
      call.reject(error);
    }
  };

  // Nothing is sent while an earlier batch is unanswered, because it might still be carried out.
  return (input) => silence ? inTime(silence, 0).then(() => queue(input)) : queue(input);
}
