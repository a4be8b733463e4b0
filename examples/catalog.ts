/**
 * Every example and its roles. The imports are literal, so that the executable and the bundle contain them all.
 *
 * @module
 */

/** What an example shows, and what its client must have seen at the end. */
export interface Expected {
  readonly about: string;
  /** The states in order, each once. A client may be too late for the first. */
  readonly statuses: readonly string[];
  /** Whether the result is also a resource. */
  readonly resource: boolean;
}

const POLLED = ["PENDING", "RUNNING", "COMPLETED"];
const NATIVE = ["working", "completed"];

/** The examples that `deno task example` runs. */
export const EXAMPLES: ReadonlyMap<string, Expected> = new Map([
  ["baseline", { about: "four polling tools written by hand, for comparison", statuses: POLLED, resource: false }],
  ["with_package", { about: "the same four tools from one registration", statuses: POLLED, resource: false }],
  ["approach3", { about: "a native MCP task, and its result as a resource", statuses: NATIVE, resource: true }],
  ["http", { about: "over HTTP with a token, for clients of both revisions", statuses: NATIVE, resource: true }],
  ["approach3_notify", { about: "the same, with every change pushed", statuses: NATIVE, resource: true }],
]);

/** How to load each role, by `<example> <role>`; loading runs it. */
export const ROLES: ReadonlyMap<string, () => Promise<unknown>> = new Map([
  ["baseline server", () => import("./baseline/server.ts")],
  ["baseline worker", () => import("./baseline/worker.ts")],
  ["baseline client", () => import("./baseline/client.ts")],
  ["with_package server", () => import("./with_package/server.ts")],
  ["with_package worker", () => import("./with_package/worker.ts")],
  ["with_package client", () => import("./with_package/client.ts")],
  ["approach3 server", () => import("./approach3/server.ts")],
  ["approach3 worker", () => import("./approach3/worker.ts")],
  ["approach3 client", () => import("./approach3/client.ts")],
  ["approach3_notify server", () => import("./approach3_notify/server.ts")],
  ["approach3_notify worker", () => import("./approach3_notify/worker.ts")],
  ["approach3_notify client", () => import("./approach3_notify/client.ts")],
  ["http server", () => import("./http/server.ts")],
  ["http worker", () => import("./http/worker.ts")],
  ["http client", () => import("./http/client.ts")],
  ["background_command server", () => import("./background_command/server.ts")],
]);
