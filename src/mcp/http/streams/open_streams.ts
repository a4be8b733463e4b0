/**
 * Knows which answers are still on their way.
 *
 * @module
 */
import { doneWithin } from "../../../waiting.ts";

/** Answers that are begun and not yet sent to their end; `parent` counts them, too. */
export class OpenStreams {
  readonly #parent: OpenStreams | undefined;
  #open = 0;
  #ended: (() => void) | undefined;

  constructor(parent?: OpenStreams) {
    this.#parent = parent;
  }

  /** How many there are. */
  get size(): number {
    return this.#open;
  }

  /** Counts an answer from the time that it is worked on until its last byte is sent, or nobody wants it any more. */
  async follow(answer: () => Promise<Response>): Promise<Response> {
    this.#add(1);
    let response: Response;
    try {
      response = await answer();
    } catch (error) {
      this.#add(-1);
      throw error;
    }
    // Only an event stream takes longer than a moment to send.
    if (response.body === null || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
      this.#add(-1);
      return response;
    }
    const end = () => this.#add(-1);
    return new Response(response.body.pipeThrough(new TransformStream({ flush: end, cancel: end })), response);
  }

  /** Resolves once none is left, or after `ms`. */
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
