/**
 * Keeps track of the requests of a connection that are not answered yet.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { doneWithin } from "../../waiting.ts";
import { cancelledBy } from "../messages/message.ts";

/** The unanswered requests of one client. */
export class Unanswered {
  readonly #ids = new Set<unknown>();
  #ended: (() => void) | undefined;

  /** Takes note of a message from the client. A request that it cancels needs no answer. */
  received(message: JSONRPCMessage): void {
    if ("method" in message && "id" in message) this.#ids.add(message.id);
    const cancelled = cancelledBy(message);
    if (cancelled) this.#forget(cancelled.id);
  }

  /** Takes note of a message to the client. */
  sent(message: JSONRPCMessage): void {
    if (!("method" in message)) this.#forget(message.id);
  }

  /** Forgets all of them. */
  clear(): void {
    this.#ids.clear();
    this.#ended?.();
  }

  /** Resolves once all are answered, or after `ms`. */
  async drained(ms: number): Promise<void> {
    if (this.#ids.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = resolve;
    await doneWithin(promise, ms);
  }

  #forget(id: unknown): void {
    this.#ids.delete(id);
    if (this.#ids.size === 0) this.#ended?.();
  }
}
