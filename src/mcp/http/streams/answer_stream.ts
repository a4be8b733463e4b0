/**
 * An event stream to a client that may not read it: of the progress that waits, only the newest is kept.
 *
 * @module
 */
import { parseJSONRPCMessage } from "@modelcontextprotocol/server";
import { Backlog, progressTokenOf } from "../../messages/backlog.ts";

/** A larger event is not progress. */
const MAX_PROGRESS_BYTES = 200_000;

/** What an event stream calls. */
export interface AnswerStreamListener {
  /** Called once: all of it is sent, or its client is gone. */
  readonly sent: () => void;
  /** Called if the client goes before the end. */
  readonly gone: (reason: unknown) => void | Promise<void>;
}

/** An event stream, one chunk for each event. */
export class AnswerStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #listener: AnswerStreamListener;
  readonly #backlog = new Backlog<Uint8Array>();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Whether the client waits for an event. */
  #isAwaited = false;
  /** How it ends, once all waiting events are read. */
  #end: { readonly error?: unknown } | undefined;

  constructor(listener: AnswerStreamListener) {
    this.#listener = listener;
    this.readable = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => {
        this.#isAwaited = true;
        this.#send();
      },
      cancel: (reason) => {
        this.#controller = undefined;
        listener.sent();
        return listener.gone(reason);
      },
    }, { highWaterMark: 0 });
  }

  /** Sends an event. */
  push(event: Uint8Array): void {
    this.#backlog.push(event, progressOf(event));
    this.#send();
  }

  /** Sends a comment that keeps the connection open, unless something waits to be read. */
  comment(): void {
    if (this.#isAwaited) this.push(KEEP_ALIVE);
  }

  /** Passes on the events of another stream, and its end. */
  async pass(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    try {
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) this.push(chunk.value);
      this.end();
    } catch (error) {
      this.end({ error });
    }
  }

  /** Ends the stream after what waits, with an error if there is one. */
  end(how: { readonly error?: unknown } = {}): void {
    this.#end ??= how;
    this.#send();
  }

  #send(): void {
    if (this.#controller === undefined) return;
    const event = this.#isAwaited ? this.#backlog.shift() : undefined;
    if (event !== undefined) {
      this.#isAwaited = false; // Until the controller pulls again.
      return this.#controller.enqueue(event);
    }
    if (this.#end === undefined || !this.#isAwaited) return;
    if ("error" in this.#end) this.#controller.error(this.#end.error);
    else this.#controller.close();
    this.#controller = undefined;
    this.#listener.sent();
  }
}

const KEEP_ALIVE = new TextEncoder().encode(": keepalive\n\n");

function progressOf(event: Uint8Array): string | number | undefined {
  if (event.length > MAX_PROGRESS_BYTES) return undefined;
  const data = /^data: (.*)$/m.exec(new TextDecoder().decode(event))?.[1];
  if (!data?.includes('"notifications/progress"')) return undefined;
  return progressTokenOf(parseJSONRPCMessage(JSON.parse(data)));
}
