/**
 * The stdio transport. The SDK's own drops a line that is not JSON-RPC without a word and ends at 10 MB; this one
 * answers every bad line and goes on.
 *
 * @module
 */
import { type JSONRPCMessage, serializeMessage, type Transport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { bind, type Peer, type Served } from "./bind.ts";
import { MAX_MESSAGE_BYTES, readMessage, type Refusal, tooLong } from "./message.ts";
import { LOCAL } from "./owners.ts";
import { TaskListener } from "./task_listener.ts";

const NEWLINE = 10;

/** One JSON-RPC message per line, on a pair of byte streams. */
export class LineTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #closed = false;

  constructor(input: ReadableStream<Uint8Array>, output: WritableStream<Uint8Array>) {
    this.#reader = input.getReader();
    this.#writer = output.getWriter();
  }

  start(): Promise<void> {
    this.#readAll().catch((error) => this.onerror?.(error)).finally(() => this.close());
    return Promise.resolve();
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) throw new Error("Cannot send: the connection is closed.");
    await this.#writer.write(new TextEncoder().encode(serializeMessage(message)));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#reader.cancel().catch(() => {});
    this.onclose?.();
  }

  async #readAll(): Promise<void> {
    let parts: Uint8Array[] = [];
    let size = 0;
    for (let chunk = await this.#reader.read(); !chunk.done; chunk = await this.#reader.read()) {
      let rest = chunk.value;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
        size += end;
        if (size > MAX_MESSAGE_BYTES) this.#refuse(tooLong());
        else this.#receive(join([...parts, rest.subarray(0, end)], size));
        [parts, size, rest] = [[], 0, rest.subarray(end + 1)];
      }
      size += rest.length;
      // What is too long anyway is counted, not kept.
      if (size <= MAX_MESSAGE_BYTES) parts.push(rest);
      else parts = [];
    }
  }

  #receive(line: Uint8Array): void {
    const text = new TextDecoder().decode(line).trim();
    if (text === "") return;
    const read = readMessage(text);
    if ("message" in read) this.onmessage?.(read.message);
    else this.#refuse(read.refusal);
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

/** Serves one client on stdin and stdout. Resolves when it is gone. */
export async function serveOnStdio(served: Served, signal: AbortSignal): Promise<void> {
  // stdout belongs to the protocol: what code beside us logs there goes to stderr.
  // deno-lint-ignore no-console
  console.log = console.info = console.debug = console.error;
  const lines = new LineTransport(Deno.stdin.readable, Deno.stdout.writable);
  const transport = new ListeningTransport(lines, served, LOCAL);
  const { promise, resolve } = Promise.withResolvers<void>();
  const handle = serveStdio(({ era }) => bind(served, LOCAL, era), { transport });
  const { onclose } = transport;
  transport.onclose = () => {
    onclose?.();
    resolve();
  };
  signal.addEventListener("abort", () => handle.close(), { once: true });
  if (signal.aborted) await handle.close();
  await promise;
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
