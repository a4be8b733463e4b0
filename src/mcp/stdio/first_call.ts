/**
 * Tells when a stdio client begins to use the server. Many hosts start a server only to list its tools, and end it within a
 * second: a worker that began old work then would be stopped in the middle of it, again and again.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";

/** A client that stays for this long counts as one that uses the server, in ms. */
export const STAY_MS = 3_000;

/** Requests for work or its results. Requests that only list what there is do not count. */
const USES =
  /^(tools\/call|tasks\/.+|resources\/(read|subscribe)|subscriptions\/listen|prompts\/get|completion\/complete)$/;

export class FirstCall implements Disposable {
  /** Resolves with the first call, or once the client has stayed. Never resolves after disposal. */
  readonly used: Promise<void>;
  readonly #use: () => void;
  readonly #timer: ReturnType<typeof setTimeout>;

  /** The client is connected from now on; `stay` is how long it has to stay, in ms. */
  constructor(stay: number = STAY_MS) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.used = promise;
    this.#use = resolve;
    this.#timer = setTimeout(resolve, stay);
  }

  /** Takes note of a message from the client. */
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
