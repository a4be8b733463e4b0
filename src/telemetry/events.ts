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
