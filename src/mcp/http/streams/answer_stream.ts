/**
 * An event stream to a client that may not read it: of the progress that waits, only the newest is kept.
 *
 * @module
 */
import { parseJSONRPCMessage } from "@modelcontextprotocol/server";
import { Backlog, progressTokenOf } from "../../messages/backlog.ts";

/** A larger event is not progress. */
const MAX_PROGRESS_BYTES = 200_000;

/** A stalled client is at least this many events behind. */
const MAX_BEHIND = 256;

/** A stalled client has read nothing for this long, in ms. Clients that read slowly, or get much at once, may fall behind. */
const STALLED_MS = 60_000;

export interface AnswerStreamListener {
  /** Called once: all of it is sent, or its client is gone. */
  readonly sent: () => void;
  /** Called if the client goes before the end, or is cut off. */
  readonly gone: (reason: unknown) => void | Promise<void>;
}

/** An event stream, one chunk for each event. */
export class AnswerStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #listener: AnswerStreamListener;
  readonly #now: (() => number) | undefined;
  readonly #backlog = new Backlog<Uint8Array>();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Whether the client waits for an event. */
  #isAwaited = false;
  /** How it ends, once all waiting events are read. */
  #end: { readonly error?: unknown } | undefined;
  /** How many events waited after the last push, and when the client was last known to have read one. */
  #behind = 0;
  #readAt: number;

  /** With `now`, the time in ms, a client that stalls is cut off: what is pushed to it would pile up. */
  constructor(listener: AnswerStreamListener, now?: () => number) {
    this.#listener = listener;
    this.#now = now;
    this.#readAt = now?.() ?? 0;
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

  push(unescaped: Uint8Array): void {
    const event = escapeLineEnds(unescaped);
    if (this.#now) this.#cutOffStalled(this.#now());
    this.#backlog.push(event, progressOf(event));
    this.#behind = this.#backlog.size;
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

  #cutOffStalled(now: number): void {
    const { size } = this.#backlog;
    if (size < this.#behind) this.#readAt = now;
    if (size < MAX_BEHIND || now - this.#readAt < STALLED_MS || this.#controller === undefined) return;
    const error = new Error(`The client is ${size} events behind, and has read none for a minute.`);
    this.#controller.error(error);
    this.#controller = undefined;
    this.#listener.sent();
    Promise.resolve(this.#listener.gone(error)).catch(() => {}); // The source has ended already.
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

/** Each is two or three bytes in UTF-8, of which the first is one of `FIRST_BYTES`. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g;

const FIRST_BYTES = [0xc2, 0xe2];

/**
 * Escapes the characters in the JSON of an event that end a line for regular expressions, though not for event streams:
 * Java's MCP SDK up to 2.0 cuts the event there.
 */
function escapeLineEnds(event: Uint8Array): Uint8Array {
  if (!FIRST_BYTES.some((byte) => event.includes(byte))) return event;
  const text = new TextDecoder().decode(event);
  const escaped = text.replace(LINE_ENDS, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return escaped === text ? event : new TextEncoder().encode(escaped);
}

function progressOf(event: Uint8Array): string | number | undefined {
  if (event.length > MAX_PROGRESS_BYTES) return undefined;
  const data = /^data: (.*)$/m.exec(new TextDecoder().decode(event))?.[1];
  if (!data?.includes('"notifications/progress"')) return undefined;
  return progressTokenOf(parseJSONRPCMessage(JSON.parse(data)));
}
