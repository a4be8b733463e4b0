/**
 * What a client prints for its user, one line of JSON each. The runner reads, shows and checks these lines.
 *
 * @module
 */

/** What a tool call returns: the result of the job, or what leads to it. */
export type Answer = "result" | "handle" | "task";

/** A client's call of a job, and how long ago it began, in ms. */
export interface Call {
  readonly client: string;
  readonly job: string;
  readonly after: number;
}

/** What a client has just learned. */
export interface Update {
  /** In an example with several clients: the call that this is about. */
  readonly call?: Call;
  /** What that call has returned; absent if it still waits. */
  readonly answer?: Answer;
  /** The task's status, in the words of the surface that the client uses. */
  readonly status?: string;
  /** How much is done, from 0 to 1. */
  readonly progress?: number;
  /** What the job does now. */
  readonly message?: string;
  /** A question that the client was asked. */
  readonly asked?: string;
  /** The client kills its server, and has the runner kill the worker with SIGKILL. Both are started again. */
  readonly killed?: readonly ["worker", "server"];
  /** The result of the task. */
  readonly result?: unknown;
  /** The same result, as read from its resource. */
  readonly resource?: { readonly uri: string; readonly content: unknown };
}

/** Prints an update. */
export function printUpdate(update: Update): void {
  console.log(JSON.stringify(update));
}
