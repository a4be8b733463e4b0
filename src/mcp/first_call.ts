/**
 * Whether a stdio client has come to use the server. Many hosts start a server only to list its tools, and end it within
 * a second: a worker that began old work then would be stopped in the middle of it, again and again.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { doneWithin } from "../done_within.ts";

/** A client that stays for this long has come to use the server, in ms. */
export const STAY_MS = 3_000;

/** Requests for work or its results. What only says what there is does not count. */
const USES =
  /^(tools\/call|tasks\/.+|resources\/(read|subscribe)|subscriptions\/listen|prompts\/get|completion\/complete)$/;

/** Waits for the first call of a client. */
export class FirstCall {
  readonly #called = Promise.withResolvers<void>();

  /** Sees what the client sends. */
  received(message: JSONRPCMessage): void {
    if ("method" in message && USES.test(message.method)) this.#called.resolve();
  }

  /** Resolves with the first call, after `ms`, or once `gone` resolves. */
  async within(ms: number, gone: Promise<void>): Promise<void> {
    await doneWithin(Promise.race([this.#called.promise, gone]), ms);
  }
}
