/**
 * Counts the responses that are still being sent.
 *
 * @module
 */
import { doneWithin } from "../../../waiting.ts";

/** The responses that have begun and are not yet sent completely. `parent` counts them, too. */
export class OpenStreams {
  readonly #parent: OpenStreams | undefined;
  #open = 0;
  #ended: (() => void) | undefined;

  constructor(parent?: OpenStreams) {
    this.#parent = parent;
  }

  /** How many responses are open. */
  get size(): number {
    return this.#open;
  }

  /** Counts a response from the time that it is worked on until its last byte is sent, or its client is gone. */
  async track(answer: () => Promise<Response>): Promise<Response> {
    this.#add(1);
    let response: Response;
    try {
      response = await answer();
    } catch (error) {
      this.#add(-1);
      throw error;
    }
    // Anything but an event stream is sent in a moment.
    if (response.body === null || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
      this.#add(-1);
      return response;
    }
    const end = () => this.#add(-1);
    return new Response(response.body.pipeThrough(new TransformStream({ flush: end, cancel: end })), response);
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
    if (this.#open === 0) this.#ended?.();
  }
}
