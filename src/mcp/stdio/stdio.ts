/**
 * The stdio transport. The SDK's own ignores a line that is not JSON-RPC, fails at 10 MB, and does not answer the requests it
 * has read when its input ends. This one answers every bad line and goes on, and answers all requests before it ends.
 *
 * @module
 */
import { Console } from "node:console";
import { Writable } from "node:stream";
import { type JSONRPCMessage, serializeMessage, type Transport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { Backlog, progressTokenOf } from "../messages/backlog.ts";
import { bind, TaskListener } from "../bind.ts";
import { FirstCall } from "./first_call.ts";
import type { Refusal } from "../messages/message.ts";
import { MessageReader } from "../messages/reader.ts";
import { LOCAL, type Peer } from "../peer.ts";
import type { Served } from "../served.ts";
import { Unanswered } from "./unanswered.ts";

const NEWLINE = 10;

/** How long requests are worked on after the input has ended, in ms: a client that is gone needs no long response. */
const END_GRACE_MS = 500;

/** One JSON-RPC message per line, on a pair of byte streams. */
export class LineTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  /** Called with each message before `onmessage` is. */
  onreceived?: (message: JSONRPCMessage) => void;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #maxBytes: number;
  readonly #unanswered = new Unanswered();
  readonly #backlog = new Backlog<Line>();
  #writing = false;
  #closed = false;

  /** `maxBytes` is the length of the longest line that is read. */
  constructor(input: ReadableStream<Uint8Array>, output: WritableStream<Uint8Array>, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#reader = input.getReader();
    this.#writer = output.getWriter();
  }

  start(): Promise<void> {
    this.#readAll()
      .catch((error) => this.onerror?.(error))
      .then(() => this.#unanswered.drained(END_GRACE_MS))
      .finally(() => this.close());
    return Promise.resolve();
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) throw new Error("Cannot send: the connection is closed.");
    try {
      await this.#write(serializeMessage(message), progressTokenOf(message));
    } finally {
      this.#unanswered.sent(message);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unanswered.clear();
    await this.#reader.cancel().catch(() => {}); // It has ended already.
    this.onclose?.();
  }

  async #readAll(): Promise<void> {
    let line = new MessageReader(this.#maxBytes);
    for (let chunk = await this.#reader.read(); !chunk.done; chunk = await this.#reader.read()) {
      let rest = chunk.value;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
        line.push(rest.subarray(0, end));
        this.#receive(line);
        line = new MessageReader(this.#maxBytes);
        rest = rest.subarray(end + 1);
      }
      line.push(rest);
    }
    // The last line that a person types often has no newline.
    if (!this.#closed) this.#receive(line);
  }

  #receive(line: MessageReader): void {
    const read = line.end();
    if (read === undefined) return;
    if ("refusal" in read) return this.#refuse(read.refusal);
    this.#unanswered.received(read.message);
    this.onreceived?.(read.message);
    this.receive(read.message);
  }

  /** Passes a message of the client on. */
  protected receive(message: JSONRPCMessage): void {
    this.onmessage?.(message);
  }

  #refuse(refusal: Refusal): void {
    this.#write(`${JSON.stringify(refusal)}\n`).catch(() => {}); // The client is gone.
  }

  /** Resolves once a line is written, or dropped because newer progress has overtaken it. */
  #write(text: string, progress?: string | number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    for (const past of this.#backlog.push({ text, resolve, reject }, progress)) past.resolve();
    if (!this.#writing) void this.#writeAll();
    return promise;
  }

  /** Writes every line that waits, even after the connection is closed. */
  async #writeAll(): Promise<void> {
    this.#writing = true;
    for (let line = this.#backlog.shift(); line; line = this.#backlog.shift()) {
      await this.#writer.write(new TextEncoder().encode(line.text)).then(line.resolve, line.reject);
    }
    this.#writing = false;
  }
}

/** A line on its way to the client. */
interface Line {
  readonly text: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A transport whose `subscriptions/listen` has tasks. */
class ListeningTransport extends LineTransport {
  readonly #listener: TaskListener;

  constructor(input: ReadableStream<Uint8Array>, output: WritableStream<Uint8Array>, served: Served, peer: Peer) {
    super(input, output, served.maxMessageBytes);
    this.#listener = new TaskListener(served, peer, (requestId) => {
      this.onmessage?.({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } });
    });
  }

  override send(message: JSONRPCMessage): Promise<void> {
    return this.#listener.send(message, (message) => super.send(message));
  }

  override close(): Promise<void> {
    this.#listener[Symbol.dispose]();
    return super.close();
  }

  protected override receive(message: JSONRPCMessage): void {
    const received = this.#listener.receive(message);
    if ("forward" in received) super.receive(received.forward);
    else super.send(received.answer).catch((error) => this.onerror?.(error));
  }
}

/**
 * Serves one client on stdin and stdout. Resolves when it is gone. `onOpen` gets a promise that resolves once the client has
 * called something, or has stayed for 3 s. If `onOpen` fails, the connection is closed.
 */
export async function serveOnStdio(
  served: Served,
  signal: AbortSignal,
  onOpen: (used: Promise<void>) => void | Promise<void>,
): Promise<void> {
  // stdout belongs to the protocol: what other code logs, by any method of `console`, goes to stderr, through Deno's own
  // `error`: what that logs is exported with OTEL_DENO, and a stderr that was closed does not end the process.
  const { error, warn } = console;
  const stderr = new Writable({ write: (text, _, done) => done(void error(`${text}`.replace(/\n$/, ""))) });
  Object.assign(console, new Console(stderr), { log: error, info: error, debug: error, error, warn });
  const transport = new ListeningTransport(Deno.stdin.readable, Deno.stdout.writable, served, LOCAL);
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  using firstCall = new FirstCall();
  transport.onreceived = (message) => firstCall.received(message);
  const handle = serveStdio(({ era }) => bind(served, LOCAL, era), { transport });
  const { onclose } = transport;
  transport.onclose = () => {
    firstCall[Symbol.dispose]();
    onclose?.();
    resolve();
  };
  signal.addEventListener("abort", () => handle.close(), { once: true });
  try {
    if (!signal.aborted) await Promise.race([onOpen(firstCall.used), gone]);
    if (!signal.aborted) await gone;
  } finally {
    await handle.close();
  }
}
