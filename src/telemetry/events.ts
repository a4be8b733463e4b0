/**
 * The metrics that count or measure what happens, and what a metric is.
 *
 * @module
 */

/** A metric, by OpenTelemetry's rules for names and units. */
export interface Metric {
  readonly name: string;
  readonly kind: "counter" | "histogram" | "gauge";
  readonly unit: string;
  /** What it says. */
  readonly description: string;
  readonly attributes: readonly string[];
  /** The boundaries of its buckets, where it is a histogram. */
  readonly boundaries?: readonly number[];
}

/** From milliseconds to a day: a job takes anything between. */
const OF_JOBS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];

/** As OpenTelemetry's conventions for MCP have them. */
const OF_REQUESTS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];

/** As OpenTelemetry's conventions for messaging have them. */
const OF_MESSAGES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The attributes of the metrics of stored and running tasks. */
const OF_TASKS = [
  "messaging.system",
  "messaging.operation.name",
  "messaging.operation.type",
  "messaging.destination.name",
  "error.type",
] as const;

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
    boundaries: OF_JOBS,
  },
  timeToEnd: {
    name: "mcp_jobs.task.time_to_end",
    kind: "histogram",
    unit: "s",
    description: "Time from the creation of a task to its end, with all pauses and waits",
    attributes: ["mcp_jobs.job", "mcp_jobs.outcome"],
    boundaries: OF_JOBS,
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
    attributes: [
      "mcp.method.name",
      "mcp.protocol.version",
      "gen_ai.operation.name",
      "gen_ai.tool.name",
      "network.transport",
      "error.type",
      "rpc.response.status_code",
    ],
    boundaries: OF_REQUESTS,
  },
  send: {
    name: "messaging.client.operation.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of storing a task",
    attributes: OF_TASKS,
    boundaries: OF_MESSAGES,
  },
  process: {
    name: "messaging.process.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of the runs of tasks",
    attributes: OF_TASKS,
    boundaries: OF_JOBS,
  },
} as const satisfies { readonly [event: string]: Metric };
