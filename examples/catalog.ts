/**
 * Every example and its roles. The imports are literal, so that the executable and the bundle contain them all.
 *
 * @module
 */

import type { Answer } from "./shared/update.ts";

/** What an example shows, and what its client, or each of its clients, must have seen at the end. */
export type Expected = OneClient | SeveralClients | Interrupted;

/** An example whose client runs one report. */
export interface OneClient {
  readonly about: string;
  /** The states in order, each once. A client may be too late for the first. */
  readonly statuses: readonly string[];
  /** Whether the result is also a resource. */
  readonly resource: boolean;
}

/** An example with several clients that each run several jobs. */
export interface SeveralClients {
  readonly about: string;
  /** What the calls of each client return, in order, by the name of the client and of the job. */
  readonly answers: { readonly [client: string]: { readonly [job: string]: readonly Answer[] } };
}

/** An example whose task waits for an answer while its worker and its server are killed. */
export interface Interrupted {
  readonly about: string;
  /** The question that the second client is asked. */
  readonly question: string;
}

const POLLED = ["PENDING", "RUNNING", "COMPLETED"];
const NATIVE = ["working", "completed"];

/** What `AdaptiveExposureStrategy` returns to a client without tasks, and to one with tasks. */
const WAITED = { generate_report: ["result"], rebuild_index: ["handle", "result"] } as const;
const TASKS = { generate_report: ["task", "result"], rebuild_index: ["task", "result"] } as const;

/** The examples that `deno task example` runs. */
export const EXAMPLES: ReadonlyMap<string, Expected> = new Map<string, Expected>([
  ["adaptive", {
    about: "one registration, and for each client the answer that it can use (takes 42 s)",
    answers: { "SDK 1": WAITED, "SDK 1, tasks": TASKS, "SDK 2": WAITED, "SDK 2, tasks": TASKS },
  }],
  ["baseline", { about: "four polling tools written by hand, for comparison", statuses: POLLED, resource: false }],
  ["with_package", { about: "the same four tools from one registration", statuses: POLLED, resource: false }],
  ["approach3", { about: "a native MCP task, and its result as a resource", statuses: NATIVE, resource: true }],
  ["http", { about: "over HTTP with a token, for clients of both revisions", statuses: NATIVE, resource: true }],
  ["approach3_notify", { about: "the same, with every change pushed", statuses: NATIVE, resource: true }],
  ["approval", {
    about: "three steps and an approval, with worker and server killed while the task waits for it",
    question: "Publish the report of user 42, with a revenue of 42000?",
  }],
]);

/** The example that runs without a name. */
export const DEFAULT_EXAMPLE = "adaptive";

/** How to load each role, by `<example> <role>`; loading runs it. */
export const ROLES: ReadonlyMap<string, () => Promise<unknown>> = new Map([
  ["adaptive server", () => import("./adaptive/server.ts")],
  ["adaptive worker", () => import("./adaptive/worker.ts")],
  ["adaptive client", () => import("./adaptive/client.ts")],
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
  ["approval server", () => import("./approval/server.ts")],
  ["approval worker", () => import("./approval/worker.ts")],
  ["approval client", () => import("./approval/client.ts")],
  ["background_command server", () => import("./background_command/server.ts")],
]);
