/**
 * How parked tasks affect new ones, and how fast answered tasks run.
 *
 * @module
 */
import { type Backend, createWorker, type TaskInfo } from "../mod.ts";
import { openQuestions } from "../src/task.ts";
import { startWorker } from "../src/worker.ts";
import { approval, newTask, now, tick } from "./jobs.ts";
import { inTurns, latency, percentile, throughput, type Way } from "./measure.ts";

/** How fast new tasks and answered ones are done, a second. */
export interface Rates {
  readonly tasks: number;
  readonly answers: number;
}

/** How new and answered tasks run beside parked ones. */
export interface BesideParked {
  /** 95 of 100 new tasks start within this time, in ms. */
  readonly startsWithin: number;
  /** With so many in flight: from the creation, or the answer, to the end. */
  readonly inFlight: Rates;
  /** All of them are created, or answered, before the worker starts. */
  readonly waiting: Rates;
}

const JOBS = [tick, approval];
const SLOTS = { concurrency: 4 };

/**
 * Parks so many tasks, and measures new ones beside them. Then parks more, and answers those, in turns with as many new
 * tasks. All are parked before the first turn: what a turn leaves to the garbage collector would slow down the next one.
 */
export async function besideParked(
  backend: Backend,
  parked: number,
  answers: number,
  inFlight: number,
): Promise<BesideParked> {
  const tasks: TaskInfo[] = [];
  const create = () => backend.create(newTask(tick.name));
  const answer = async () => {
    const task = tasks.pop();
    if (task === undefined) throw new Error("There are fewer parked tasks than answers.");
    const given = openQuestions(task).map(({ key }) => [key, { action: "accept", content: {} }] as const);
    await backend.answer(task.id, task.owner, Object.fromEntries(given));
  };
  const measure = async (way: (start: () => Promise<unknown>) => Way): Promise<Rates> => {
    const [created = NaN, answered = NaN] = await inTurns([create, answer].map(way), answers);
    return { tasks: created, answers: answered };
  };
  await using worker = createWorker(backend, JOBS, SLOTS);
  await worker.ready;
  await park(backend, parked, inFlight);
  const { enqueueToRun } = await latency(backend, 100);
  tasks.push(...await park(backend, answers, inFlight));
  const whileInFlight = await measure((start) => (total) => throughput(backend, total, inFlight, start));
  tasks.push(...await park(backend, answers, inFlight));
  await worker.close();
  const whileWaiting = await measure((start) => (total) => workedOff(backend, total, inFlight, start));
  return { startsWithin: percentile(enqueueToRun, 0.95), inFlight: whileInFlight, waiting: whileWaiting };
}

/** Calls a function so often, so many at a time. */
async function repeat(count: number, inFlight: number, act: () => Promise<unknown>): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (left-- > 0) await act();
  }));
}

/** Starts tasks, and then lets a worker claim them that is ready by then. Resolves with how many it does a second. */
async function workedOff(
  backend: Backend,
  total: number,
  inFlight: number,
  start: () => Promise<unknown>,
): Promise<number> {
  await repeat(total, inFlight, start);
  const begin = Promise.withResolvers<void>();
  await using worker = startWorker(backend, JOBS, SLOTS, begin.promise);
  await worker.ready;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let ended = 0;
  const stop = backend.watch((event) => {
    if (event.kind === "change" && event.task.status === "COMPLETED" && ++ended === total) resolve();
  });
  const begun = now();
  begin.resolve();
  await done;
  stop();
  return total / ((now() - begun) / 1_000);
}

/** Creates tasks that ask, and resolves with them once all are parked. */
async function park(backend: Backend, count: number, inFlight: number): Promise<TaskInfo[]> {
  const parked = new Map<string, TaskInfo>();
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = backend.watch((event) => {
    if (event.kind !== "change" || !("parked" in event.task)) return;
    if (parked.set(event.task.id, event.task).size === count) resolve();
  });
  await repeat(count, inFlight, () => backend.create(newTask(approval.name)));
  await promise;
  stop();
  return [...parked.values()];
}
