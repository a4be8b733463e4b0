/**
 * Knows which requests of a connection are still to be answered.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { doneWithin } from "../../waiting.ts";

/** The requests of one client that wait for their answers. */
export class Unanswered {
  readonly #ids = new Set<unknown>();
  #ended: (() => void) | undefined;

  /** Sees what the client sends. A request that it cancels is not answered. */
  received(message: JSONRPCMessage): void {
    if (!("method" in message)) return;
    if ("id" in message) this.#ids.add(message.id);
    else if (message.method === "notifications/cancelled") this.#settle(message.params?.requestId);
  }

  /** Sees what was sent to the client. */
  sent(message: JSONRPCMessage): void {
    if (!("method" in message)) this.#settle(message.id);
  }

  /** Waits for none any more. */
  clear(): void {
    this.#ids.clear();
    this.#ended?.();
  }

  /** Resolves once none is left, or after `ms`. */
  async drained(ms: number): Promise<void> {
    if (this.#ids.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = resolve;
    await doneWithin(promise, ms);
  }

  #settle(id: unknown): void {
    this.#ids.delete(id);
    if (this.#ids.size === 0) this.#ended?.();
  }
}
