/**
 * The stream of an open page: each line is the whole state that it shows, sent when the state changes, as fast as the browser
 * reads and never faster than the view's pause. So a slow browser skips states and does not fall behind.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { messageOf } from "../text.ts";
import type { View } from "./views/view.ts";
import type { Line } from "./wire.ts";

/** How long to wait after a failed reading, in ms. */
const AFTER_ERROR_MS = 2_000;

/** The lines of one open page, as JSON. */
export class PageStream {
  /** The bytes to send. */
  readonly body: ReadableStream<Uint8Array>;
  readonly #view: View;
  readonly #onEnd: () => void;
  readonly #unwatch: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Whether there is something to send. */
  #changed = true;
  /** Ends the pause of `pull` early. */
  #wake: (() => void) | undefined;
  #readAt = -Infinity;
  #ended = false;

  /** `onEnd` is called once the stream has ended, on either side. */
  constructor(view: View, backend: Pick<Backend, "watch">, onEnd: () => void) {
    this.#view = view;
    this.#onEnd = onEnd;
    this.#unwatch = backend.watch((event) => {
      if (view.observe(event)) this.refresh();
    });
    this.body = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#end(),
    }, { highWaterMark: 0 });
  }

  /** Reads the state again: it may have changed without an event. */
  refresh(): void {
    if (this.#changed) return;
    this.#changed = true;
    this.#wake?.();
  }

  close(): void {
    if (this.#ended) return;
    this.#end();
    this.#controller?.close();
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (!this.#ended) {
      const since = performance.now() - this.#readAt;
      const rest = (this.#changed ? this.#view.pause : this.#view.period) - since;
      if (rest <= 0) break;
      await this.#pause(rest);
    }
    if (this.#ended) return;
    // Reset before the read: what changes meanwhile is sent next.
    this.#changed = false;
    this.#readAt = performance.now();
    const line = await this.#read();
    if (!this.#ended) controller.enqueue(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  }

  async #read(): Promise<Line> {
    try {
      return await this.#view.read();
    } catch (error) {
      // The page shows it, and the stream tries again.
      this.#changed = true;
      this.#readAt += AFTER_ERROR_MS;
      return { view: "error", message: messageOf(error) };
    }
  }

  /** Waits, unless there is a change to send: then the loop looks again. */
  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unwatch();
    this.#wake?.();
    this.#onEnd();
  }
}
