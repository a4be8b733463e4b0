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
import { EVENTS } from "./events.ts";
import { quietly } from "./quiet.ts";

type Event = keyof typeof EVENTS;

type Instruments = { readonly [event in Event]: (value: number, attributes: Attributes) => void };

const NOOP = createNoopMeter();

let made: { readonly provider: unknown; readonly instruments: Instruments | undefined } | undefined;

/** The meter of the process; `undefined` without a provider. */
export function currentMeter(): Meter | undefined {
  const meter = quietly(() => metrics.getMeter("@mcp-jobs/mcp-jobs"), NOOP);
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
  made = { provider, instruments: meter && quietly(() => instrumentsOf(meter), undefined) };
  return made.instruments;
}

function instrumentsOf(meter: Meter): Instruments {
  return Object.fromEntries(
    Object.entries(EVENTS).map(([event, { name, unit, description, ...metric }]) => {
      if (metric.kind === "counter") return [event, summed(meter.createCounter(name, { unit, description }))];
      const advice = { explicitBucketBoundaries: [...metric.boundaries] };
      const histogram: Histogram = meter.createHistogram(name, { unit, description, advice });
      const record = (value: number, attributes: Attributes) =>
        quietly(() => histogram.record(value, attributes), undefined);
      return [event, record];
    }),
  ) as Instruments;
}

/**
 * Adds up what is counted in one turn, and gives the provider the sum: the tasks of a group commit become one call. The sums
 * stand by the identity of their attributes. (An observable counter would be cheaper still, but Deno's provider does not
 * read it again before the process ends.)
 */
function summed(counter: Counter): (value: number, attributes: Attributes) => void {
  const sums = new Map<Attributes, number>();
  const add = () => {
    const counted = [...sums];
    sums.clear();
    for (const [attributes, sum] of counted) quietly(() => counter.add(sum, attributes), undefined);
  };
  return (value, attributes) => {
    if (sums.size === 0) queueMicrotask(add);
    sums.set(attributes, (sums.get(attributes) ?? 0) + value);
  };
}

/** Makes each value once. Only for keys of which there are few: names of jobs, and fixed words. */
function once<T>(make: (key: string) => T): (key: string) => T {
  const values = new Map<string, T>();
  return (key) => {
    let value = values.get(key);
    if (value === undefined) values.set(key, value = make(key));
    return value;
  };
}

const ofJob = once((job): Attributes => ({ "mcp_jobs.job": job }));
const ofOutcome = once((job) =>
  once((outcome): Attributes => ({ "mcp_jobs.job": job, "mcp_jobs.outcome": outcome.toLowerCase() }))
);
const ofRunEnd = once((job) => once((end): Attributes => ({ "mcp_jobs.job": job, "mcp_jobs.run.end": end })));
const ofPlace = once((where): Attributes => ({ "mcp_jobs.error.where": where }));
const ofOperation = once((operation): Attributes => ({ "mcp_jobs.store.operation": operation }));

/** Counts a task that was stored. */
export function countCreated(job: string): void {
  instruments()?.created(1, ofJob(job));
}

/** Counts a task whose end this process has stored. */
export function countEnded(
  { job, status, createdAt, finishedAt }: Pick<FinishedTask, "job" | "status" | "createdAt" | "finishedAt">,
): void {
  const to = instruments();
  if (to === undefined) return;
  const attributes = ofOutcome(job)(status);
  to.ended(1, attributes);
  to.timeToEnd(Math.max(0, finishedAt - createdAt) / 1_000, attributes);
}

/** Measures how long a task has waited for its first run, in ms. */
export function measureStart(job: string, waited: number): void {
  instruments()?.timeToStart(Math.max(0, waited) / 1_000, ofJob(job));
}

/** Counts an error that no caller receives. `where` is one of a few fixed texts. */
export function countError(where: string): void {
  instruments()?.errors(1, ofPlace(where));
}

export function countStoreError(operation: string): void {
  instruments()?.storeErrors(1, ofOperation(operation));
}

/** Ends a measurement; `failure` is what its attributes say of an error, each one of few values. */
export type Measured = (failure?: Attributes) => void;

/** Begins to measure a call, a send or a run. Returns what ends it; `undefined` without a provider. */
export function measured(event: "call" | "send" | "process", attributes: Attributes): Measured | undefined {
  const to = instruments();
  if (to === undefined) return undefined;
  const from = performance.now();
  return (failure) => {
    to[event]((performance.now() - from) / 1_000, failure === undefined ? attributes : { ...attributes, ...failure });
  };
}

export function countAttempt(job: string, end: string): void {
  instruments()?.attempts(1, ofRunEnd(job)(end));
}

/** What a message span and its metrics have in common (OpenTelemetry's conventions for messaging). */
export const messaging: { readonly [operation in "send" | "process"]: (job: string) => Attributes } = {
  send: once((job) => messagingOf("send", job)),
  process: once((job) => messagingOf("process", job)),
};

function messagingOf(operation: string, job: string): Attributes {
  return {
    "messaging.system": "mcp_jobs",
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
    "messaging.destination.name": job,
  };
}
