/**
 * What a client tells its user, as one line of JSON each: the runner reads the lines, draws and checks them.
 *
 * @module
 */

/** What a client has just learnt. */
export interface Update {
  /** Where the task stands, in the words of the surface that the client uses. */
  readonly status?: string;
  /** How much is done, from 0 to 1. */
  readonly progress?: number;
  /** What is done now. */
  readonly message?: string;
  /** The result of the task. */
  readonly result?: unknown;
  /** The same result, as it was read from its resource. */
  readonly resource?: { readonly uri: string; readonly content: unknown };
}

/** Tells it. */
export function tell(update: Update): void {
  console.log(JSON.stringify(update));
}
