/**
 * The stdio transport. The SDK's own drops a line that is not JSON-RPC without a word, ends at 10 MB, and when its input
 * ends leaves without an answer what it has read. This one answers every bad line and goes on, and answers before it ends.
 *
 * @module
 */
import { type JSONRPCMessage, serializeMessage, type Transport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { bind, type Peer, type Served } from "./bind.ts";
import { MAX_MESSAGE_BYTES, readMessage, type Refusal, tooLong } from "./message.ts";
import { LOCAL } from "./owners.ts";
import { TaskListener } from "./task_listener.ts";
import { Unanswered } from "./unanswered.ts";

const NEWLINE = 10;

/** How long what was read is worked on once the input has ended, in ms: a client that is gone needs no long answer. */
const END_GRACE_MS = 500;

/** One JSON-RPC message per line, on a pair of byte streams. */
export class LineTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #unanswered = new Unanswered();
  #closed = false;

  constructor(input: ReadableStream<Uint8Array>, output: WritableStream<Uint8Array>) {
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
      await this.#writer.write(new TextEncoder().encode(serializeMessage(message)));
    } finally {
      this.#unanswered.sent(message);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#unanswered.clear();
    await this.#reader.cancel().catch(() => {});
    this.onclose?.();
  }

  async #readAll(): Promise<void> {
    let parts: Uint8Array[] = [];
    let size = 0;
    for (let chunk = await this.#reader.read(); !chunk.done; chunk = await this.#reader.read()) {
      let rest = chunk.value;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
        this.#receive([...parts, rest.subarray(0, end)], size + end);
        [parts, size, rest] = [[], 0, rest.subarray(end + 1)];
      }
      size += rest.length;
      // What is too long anyway is counted, not kept.
      if (size <= MAX_MESSAGE_BYTES) parts.push(rest);
      else parts = [];
    }
    // Often the last line of input that a person has typed has no end.
    if (!this.#closed) this.#receive(parts, size);
  }

  #receive(parts: readonly Uint8Array[], size: number): void {
    if (size > MAX_MESSAGE_BYTES) return this.#refuse(tooLong());
    const text = new TextDecoder().decode(join(parts, size)).trim();
    if (text === "") return;
    const read = readMessage(text);
    if ("refusal" in read) return this.#refuse(read.refusal);
    this.#unanswered.received(read.message);
    this.onmessage?.(read.message);
  }

  #refuse(refusal: Refusal): void {
    this.#writer.write(new TextEncoder().encode(`${JSON.stringify(refusal)}\n`)).catch(() => {});
  }
}

/** A transport with tasks in its `subscriptions/listen`. */
export class ListeningTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #wire: Transport;
  readonly #listener: TaskListener;

  constructor(wire: Transport, served: Served, peer: Peer) {
    this.#wire = wire;
    this.#listener = new TaskListener(served, peer);
  }

  start(): Promise<void> {
    this.#wire.onerror = (error) => this.onerror?.(error);
    this.#wire.onclose = () => {
      this.#listener[Symbol.dispose]();
      this.onclose?.();
    };
    this.#wire.onmessage = (message) => {
      const received = this.#listener.receive(message);
      if ("forward" in received) this.onmessage?.(received.forward);
      else this.#wire.send(received.answer).catch((error) => this.onerror?.(error));
    };
    return this.#wire.start();
  }

  send(message: JSONRPCMessage): Promise<void> {
    return this.#listener.pass(message, (message) => this.#wire.send(message));
  }

  close(): Promise<void> {
    return this.#wire.close();
  }
}

/** Serves one client on stdin and stdout. Resolves when it is gone; if `onOpen` fails, the connection is closed. */
export async function serveOnStdio(
  served: Served,
  signal: AbortSignal,
  onOpen: () => void | Promise<void>,
): Promise<void> {
  // stdout belongs to the protocol: what code beside us logs there goes to stderr.
  // deno-lint-ignore no-console
  console.log = console.info = console.debug = console.error;
  const lines = new LineTransport(Deno.stdin.readable, Deno.stdout.writable);
  const transport = new ListeningTransport(lines, served, LOCAL);
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const handle = serveStdio(({ era }) => bind(served, LOCAL, era), { transport });
  const { onclose } = transport;
  transport.onclose = () => {
    onclose?.();
    resolve();
  };
  signal.addEventListener("abort", () => handle.close(), { once: true });
  try {
    if (!signal.aborted) await Promise.race([onOpen(), gone]);
    if (!signal.aborted) await gone;
  } finally {
    await handle.close();
  }
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
