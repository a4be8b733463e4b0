/**
 * Counts the responses that are still being sent.
 *
 * @module
 */
import { doneWithin } from "../../../waiting.ts";

/** The responses that have begun and are not yet sent completely. `parent` counts them, too; `onNone`: none is open any more. */
export class OpenStreams {
  readonly #parent: OpenStreams | undefined;
  readonly #onNone: () => void;
  #open = 0;
  #ended: (() => void) | undefined;

  constructor(parent?: OpenStreams, onNone: () => void = () => {}) {
    this.#parent = parent;
    this.#onNone = onNone;
  }

  get size(): number {
    return this.#open;
  }

  /** Counts a response from the time that it is worked on until `answer` calls `sent`, or fails. */
  async track(answer: (sent: () => void) => Promise<Response>): Promise<Response> {
    this.#add(1);
    let over = false;
    const sent = () => {
      if (!over) this.#add(-1);
      over = true;
    };
    try {
      return await answer(sent);
    } catch (error) {
      sent();
      throw error;
    }
  }

  /** Resolves once none is open, or after `ms`. */
  async drained(ms: number): Promise<void> {
    if (this.#open === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = resolve;
    await doneWithin(promise, ms);
    this.#ended = undefined;
  }

  #add(count: number): void {
    if (this.#parent) this.#parent.#add(count);
    this.#open += count;
    if (this.#open > 0) return;
    this.#onNone();
    this.#ended?.();
  }
}
