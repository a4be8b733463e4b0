/** What is measured of a backend: throughput, and latency on an idle system. */
import type { Backend } from "../mod.ts";
import { newTick, now } from "./jobs.ts";
import { pause } from "../src/waiting.ts";

/**
 * Tasks per second from `start` to completed, with `inFlight` tasks under way. `start` enqueues a task, or makes one go on.
 */
export async function throughput(
  backend: Backend,
  total: number,
  inFlight: number,
  start: () => Promise<unknown> = () => backend.create(newTick()),
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let [sent, done] = [0, 0];
  const send = () => {
    if (sent++ < total) start().catch(reject);
  };
  const stop = backend.watch((event) => {
    if (event.kind !== "change" || event.task.status !== "COMPLETED") return;
    if (++done === total) resolve();
    else send();
  });
  const begun = now();
  for (let i = 0; i < inFlight; i++) send();
  await promise;
  stop();
  return total / ((now() - begun) / 1_000);
}

/** Runs this many tasks, and resolves with how many a second that was. */
export type Way = (total: number) => Promise<number>;

const ROUNDS = 10;

/** Tasks per second of each way, of `tasks` in all, in turns, so that other load on the machine affects all alike. */
export async function inTurns(ways: readonly Way[], tasks: number): Promise<number[]> {
  const seconds = ways.map(() => 0);
  // The first round warms up.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, way] of ways.entries()) {
      const taken = 1 / await way(Math.floor(tasks / ROUNDS));
      if (round > 0) seconds[index] = (seconds[index] ?? 0) + taken / (ROUNDS - 1);
    }
  }
  return seconds.map((taken) => 1 / taken);
}

/** Times in ms, the smallest first. */
export interface Latency {
  readonly enqueueToRun: readonly number[];
  readonly finishToSeen: readonly number[];
}

/** When one task was sent, ran, and was seen to be finished. */
interface Times {
  readonly sentAt: number;
  readonly ranAt: number;
  readonly seenAt: number;
}

/** One task at a time, with pauses, so that every one finds an idle system. */
export async function oneByOne(tasks: number, run: () => Promise<Times>): Promise<Latency> {
  const enqueueToRun: number[] = [];
  const finishToSeen: number[] = [];
  for (let i = 0; i < tasks; i++) {
    const { sentAt, ranAt, seenAt } = await run();
    enqueueToRun.push(ranAt - sentAt);
    finishToSeen.push(seenAt - ranAt);
    await pause(5 + Math.random() * 20);
  }
  return { enqueueToRun: enqueueToRun.sort((a, b) => a - b), finishToSeen: finishToSeen.sort((a, b) => a - b) };
}

/** What a task waits for on an idle system. */
export function latency(backend: Backend, tasks: number): Promise<Latency> {
  return oneByOne(tasks, async () => {
    const task = newTick();
    const { promise: seen, resolve } = Promise.withResolvers<number>();
    const stop = backend.watch((event) => {
      if (event.kind === "change" && event.task.id === task.id && event.task.status === "COMPLETED") resolve(now());
    });
    const sentAt = now();
    await backend.create(task);
    const seenAt = await seen;
    stop();
    const outcome = await backend.outcome(task.id, task.owner);
    if (outcome.kind !== "value" || typeof outcome.value !== "object" || outcome.value === null) {
      throw new Error(`Task ${task.id} gave no value.`);
    }
    return { sentAt, ranAt: "ranAt" in outcome.value ? Number(outcome.value.ranAt) : NaN, seenAt };
  });
}

/** The value below which `share` of the sorted values lie. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
