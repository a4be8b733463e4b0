/**
 * The state of the system: gauges that read the operator once per collection, if the process has a meter provider. Every
 * server of a backend reports the same.
 *
 * @module
 */
import type { BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import type { JobCounts, Operator, WorkerInfo } from "../contract/operator.ts";
import type { Metric } from "./events.ts";
import { countStoreError, currentMeter } from "./metrics.ts";
import { quietly } from "./quiet.ts";

/** The metrics, by what they say. */
export const GAUGES = {
  tasks: {
    name: "mcp_jobs.task.count",
    kind: "gauge",
    unit: "{task}",
    description: "Tasks by their status; finished ones until they are deleted",
    attributes: ["mcp_jobs.job", "mcp_jobs.task.status"],
  },
  parked: {
    name: "mcp_jobs.task.parked",
    kind: "gauge",
    unit: "{task}",
    description:
      "Tasks that wait for an answer or a time, without a worker; they count as pending or input_required, too",
    attributes: ["mcp_jobs.job"],
  },
  age: {
    name: "mcp_jobs.queue.age",
    kind: "gauge",
    unit: "s",
    description: "Longest wait for a worker: since a task was created, due, answered or lost its worker",
    attributes: ["mcp_jobs.job"],
  },
  workers: {
    name: "mcp_jobs.worker.count",
    kind: "gauge",
    unit: "{worker}",
    description: "Workers that are alive, by each job that they run",
    attributes: ["mcp_jobs.job"],
  },
} as const satisfies { readonly [gauge: string]: Metric };

type Gauges = { readonly [gauge in keyof typeof GAUGES]: Observable };

/** The part of a backend that is observed. */
interface Observed {
  readonly operator: Pick<Operator, "counts" | "workers">;
}

/** Observes a backend until `signal` aborts. `now` is the time, in ms since the epoch. */
export function observe(
  backend: Observed,
  signal: AbortSignal,
  now: () => number = Date.now,
): void {
  const meter = currentMeter();
  if (meter === undefined || signal.aborted) return;
  quietly(() => observeWith(meter, backend, signal, now), undefined);
}

function observeWith(
  meter: Meter,
  backend: Observed,
  signal: AbortSignal,
  now: () => number,
): void {
  const gauges = Object.fromEntries(
    Object.entries(GAUGES).map(([gauge, { name, unit, description }]) => {
      return [gauge, meter.createObservableGauge(name, { unit, description })];
    }),
  ) as Gauges;
  const collect = async (result: BatchObservableResult) => {
    try {
      const [counts, workers] = await Promise.all([backend.operator.counts(), backend.operator.workers()]);
      report(result, gauges, counts, workers, now());
    } catch {
      countStoreError("count"); // The next collection tries again.
    }
  };
  const observables = Object.values(gauges);
  meter.addBatchObservableCallback(collect, observables);
  const remove = () => quietly(() => meter.removeBatchObservableCallback(collect, observables), undefined);
  signal.addEventListener("abort", remove, { once: true });
}

function report(
  result: BatchObservableResult,
  gauges: Gauges,
  counts: readonly JobCounts[],
  workers: readonly WorkerInfo[],
  now: number,
): void {
  for (const { job, counts: byStatus, parked, oldestWaiting } of counts) {
    const attributes = { "mcp_jobs.job": job };
    for (const [status, count] of Object.entries(byStatus)) {
      result.observe(gauges.tasks, count, { ...attributes, "mcp_jobs.task.status": status.toLowerCase() });
    }
    result.observe(gauges.parked, parked, attributes);
    const age = oldestWaiting === undefined ? 0 : Math.max(0, now - oldestWaiting) / 1_000;
    result.observe(gauges.age, age, attributes);
  }
  const jobs = new Set([...counts.map(({ job }) => job), ...workers.flatMap((worker) => worker.jobs)]);
  for (const job of jobs) {
    const alive = workers.filter((worker) => worker.jobs.includes(job)).length;
    result.observe(gauges.workers, alive, { "mcp_jobs.job": job });
  }
}
