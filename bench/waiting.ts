/**
 * What steps and parked tasks cost.
 *
 * @module
 */
import { type Backend, createWorker, type TaskInfo } from "../mod.ts";
import { openQuestions } from "../src/task.ts";
import { approval, newTask, tick } from "./jobs.ts";
import { inTurns, latency, percentile, throughput } from "./measure.ts";

/** What new tasks and answers meet beside parked tasks. */
export interface BesideParked {
  /** 95 of 100 new tasks start within this time, in ms. */
  readonly startsWithin: number;
  /** New tasks a second. */
  readonly tasks: number;
  /** Answered tasks a second, from the answer to the end. */
  readonly answers: number;
}

/** Parks so many tasks, measures new ones beside them, and answers all: in turns with new ones. */
export async function besideParked(backend: Backend, parked: number, inFlight: number): Promise<BesideParked> {
  await using worker = createWorker(backend, [tick, approval], { concurrency: 4 });
  await worker.ready;
  const waiting = await park(backend, parked, inFlight);
  const { enqueueToRun } = await latency(backend, 100);
  const answer = async () => {
    const task = waiting.pop();
    if (task === undefined) throw new Error("There are fewer parked tasks than answers.");
    const given = openQuestions(task).map(({ key }) => [key, { action: "accept", content: {} }] as const);
    await backend.answer(task.id, task.owner, Object.fromEntries(given));
  };
  const create = () => backend.create(newTask(tick.name));
  const [tasks = NaN, answers = NaN] = await inTurns(
    [create, answer].map((start) => (total: number) => throughput(backend, total, inFlight, start)),
    parked,
  );
  return { startsWithin: percentile(enqueueToRun, 0.95), tasks, answers };
}

/** Creates tasks that ask, and resolves with them once all are parked. */
async function park(backend: Backend, count: number, inFlight: number): Promise<TaskInfo[]> {
  const parked = new Map<string, TaskInfo>();
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = backend.watch((event) => {
    if (event.kind !== "change" || !("parked" in event.task)) return;
    if (parked.set(event.task.id, event.task).size === count) resolve();
  });
  let left = count;
  await Promise.all(Array.from({ length: inFlight }, async () => {
    while (left-- > 0) await backend.create(newTask(approval.name));
  }));
  await promise;
  stop();
  return [...parked.values()];
}
