/**
 * What this process measures, by `@opentelemetry/api`. Without a meter provider nothing is recorded. No metric holds an owner,
 * an id, an input or a result.
 *
 * @module
 */
import {
  type Attributes,
  type Counter,
  createNoopMeter,
  type Histogram,
  type Meter,
  metrics,
} from "@opentelemetry/api";
import type { FinishedTask } from "../task.ts";

/** A metric, by OpenTelemetry's rules for names and units. */
export interface Metric {
  readonly name: string;
  readonly kind: "counter" | "histogram" | "gauge";
  readonly unit: string;
  /** What it says. */
  readonly description: string;
  /** The attributes of its values. */
  readonly attributes: readonly string[];
}

/** Every metric that counts or measures events as they happen, by what happens. */
export const EVENTS = {
  created: {
    name: "mcp_jobs.task.created",
    kind: "counter",
    unit: "{task}",
    description: "Tasks that were stored",
    attributes: ["mcp_jobs.job"],
  },
  ended: {
    name: "mcp_jobs.task.ended",
    kind: "counter",
    unit: "{task}",
    description: "Tasks that have ended, by how",
    attributes: ["mcp_jobs.job", "mcp_jobs.outcome"],
  },
  attempts: {
    name: "mcp_jobs.attempts",
    kind: "counter",
    unit: "{attempt}",
    description: "Runs of tasks that have ended, by how; a parked task runs again within its attempt",
    attributes: ["mcp_jobs.job", "mcp_jobs.run.end"],
  },
  timeToStart: {
    name: "mcp_jobs.task.time_to_start",
    kind: "histogram",
    unit: "s",
    description: "Time from when a task could first run, until it did",
    attributes: ["mcp_jobs.job"],
  },
  timeToEnd: {
    name: "mcp_jobs.task.time_to_end",
    kind: "histogram",
    unit: "s",
    description: "Time from the creation of a task to its end, with all pauses and waits",
    attributes: ["mcp_jobs.job", "mcp_jobs.outcome"],
  },
  storeErrors: {
    name: "mcp_jobs.store.errors",
    kind: "counter",
    unit: "{error}",
    description: "Failed requests to the store, by what was to be done",
    attributes: ["mcp_jobs.store.operation"],
  },
  errors: {
    name: "mcp_jobs.errors",
    kind: "counter",
    unit: "{error}",
    description: "Errors that no caller receives, as `onError` gets them, by what failed",
    attributes: ["mcp_jobs.error.where"],
  },
  call: {
    name: "mcp.server.operation.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of requests of clients, until their answer",
    attributes: ["mcp.method.name", "gen_ai.tool.name", "network.transport", "error.type"],
  },
  send: {
    name: "messaging.client.operation.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of storing a task",
    attributes: ["messaging.system", "messaging.operation.name", "messaging.destination.name", "error.type"],
  },
  process: {
    name: "messaging.process.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of the runs of tasks",
    attributes: ["messaging.system", "messaging.operation.name", "messaging.destination.name", "error.type"],
  },
} as const satisfies { readonly [event: string]: Metric };

type Event = keyof typeof EVENTS;

type Instruments = { readonly [event in Event]: (value: number, attributes: Attributes) => void };

/** From milliseconds to a day: a job takes anything between. */
const BOUNDARIES = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];

const NOOP = createNoopMeter();

let made: { readonly provider: unknown; readonly instruments: Instruments | undefined } | undefined;

/** The meter of the process; `undefined` without a provider. */
export function currentMeter(): Meter | undefined {
  const meter = metrics.getMeter("@mcp-jobs/mcp-jobs");
  return meter === NOOP ? undefined : meter;
}

/** Whether the process has a meter provider now. */
export function isMeasuring(): boolean {
  return instruments() !== undefined;
}

/** Asks for the provider each time, because it may be there only after this module is loaded. */
function instruments(): Instruments | undefined {
  const provider = metrics.getMeterProvider();
  if (made?.provider === provider) return made.instruments;
  const meter = currentMeter();
  made = { provider, instruments: meter && instrumentsOf(meter) };
  return made.instruments;
}

function instrumentsOf(meter: Meter): Instruments {
  const advice = { explicitBucketBoundaries: BOUNDARIES };
  return Object.fromEntries(
    Object.entries(EVENTS).map(([event, { name, kind, unit, description }]) => {
      if (kind === "counter") {
        const counter: Counter = meter.createCounter(name, { unit, description });
        return [event, counter.add.bind(counter)];
      }
      const histogram: Histogram = meter.createHistogram(name, { unit, description, advice });
      return [event, histogram.record.bind(histogram)];
    }),
  ) as Instruments;
}

/** Counts a task that was stored. */
export function countCreated(job: string): void {
  instruments()?.created(1, { "mcp_jobs.job": job });
}

type EndedTask = Pick<FinishedTask, "job" | "status" | "createdAt" | "finishedAt">;

/** Counts a task whose end this process has stored. */
export function countEnded({ job, status, createdAt, finishedAt }: EndedTask): void {
  const to = instruments();
  if (to === undefined) return;
  const attributes = { "mcp_jobs.job": job, "mcp_jobs.outcome": status.toLowerCase() };
  to.ended(1, attributes);
  to.timeToEnd(Math.max(0, finishedAt - createdAt) / 1_000, attributes);
}

/** Measures how long a task has waited for its first run, in ms. */
export function measureStart(job: string, waited: number): void {
  instruments()?.timeToStart(Math.max(0, waited) / 1_000, { "mcp_jobs.job": job });
}

/** Counts an error that no caller receives. `where` is one of a few fixed texts. */
export function countError(where: string): void {
  instruments()?.errors(1, { "mcp_jobs.error.where": where });
}

/** Counts a failed request to the store. */
export function countStoreError(operation: string): void {
  instruments()?.storeErrors(1, { "mcp_jobs.store.operation": operation });
}

/** Begins to measure a call, a send or a run. Returns what ends it with more attributes; `undefined` without a provider. */
export function measured(
  event: "call" | "send" | "process",
  attributes: Attributes,
): ((more?: Attributes) => void) | undefined {
  const to = instruments();
  if (to === undefined) return undefined;
  const from = performance.now();
  return (more = {}) => to[event]((performance.now() - from) / 1_000, { ...attributes, ...more });
}

/** Begins to measure a run of a task. Returns what counts its end; `undefined` without a provider. */
export function recordAttempt(job: string): ((end: string, errorType: string | undefined) => void) | undefined {
  const attributes = messaging("process", job);
  const duration = measured("process", attributes);
  return duration && ((end, type) => {
    duration(type === undefined ? {} : { "error.type": type });
    instruments()?.attempts(1, { "mcp_jobs.job": job, "mcp_jobs.run.end": end });
  });
}

/** What a message span and its metrics have in common (OpenTelemetry's conventions for messaging). */
export function messaging(operation: "send" | "process", job: string): Attributes {
  return {
    "messaging.system": "mcp_jobs",
    "messaging.operation.name": operation,
    "messaging.destination.name": job,
  };
}
