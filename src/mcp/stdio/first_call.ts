/**
 * Whether a stdio client has come to use the server. Many hosts start a server only to list its tools, and end it within
 * a second: a worker that began old work then would be stopped in the middle of it, again and again.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";

/** A client that stays for this long has come to use the server, in ms. */
export const STAY_MS = 3_000;

/** Requests for work or its results. What only says what there is does not count. */
const USES =
  /^(tools\/call|tasks\/.+|resources\/(read|subscribe)|subscriptions\/listen|prompts\/get|completion\/complete)$/;

/** Waits for the first call of a client. */
export class FirstCall implements Disposable {
  /** Resolves with the first call, or once the client has stayed; never once this is disposed of. */
  readonly used: Promise<void>;
  readonly #use: () => void;
  readonly #timer: ReturnType<typeof setTimeout>;

  /** The client is there from now on; `stay` is how long it has to stay, in ms. */
  constructor(stay: number = STAY_MS) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.used = promise;
    this.#use = resolve;
    this.#timer = setTimeout(resolve, stay);
  }

  /** Sees what the client sends. */
  received(message: JSONRPCMessage): void {
    if (!("method" in message && USES.test(message.method))) return;
    this[Symbol.dispose]();
    this.#use();
  }

  /** The client is gone. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
