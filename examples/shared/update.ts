/**
 * What a client prints for its user, one line of JSON each. The runner reads, shows and checks these lines.
 *
 * @module
 */

/** What a client has just learned. */
export interface Update {
  /** The task's status, in the words of the surface that the client uses. */
  readonly status?: string;
  /** How much is done, from 0 to 1. */
  readonly progress?: number;
  /** What the job does now. */
  readonly message?: string;
  /** The result of the task. */
  readonly result?: unknown;
  /** The same result, as read from its resource. */
  readonly resource?: { readonly uri: string; readonly content: unknown };
}

/** Prints an update. */
export function printUpdate(update: Update): void {
  console.log(JSON.stringify(update));
}
