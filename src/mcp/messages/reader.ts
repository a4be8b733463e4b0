/**
 * Reads one JSON-RPC message from bytes, as they arrive. What would cost too much to parse is refused before that.
 *
 * @module
 */
import { INVALID_REQUEST, type JSONRPCMessage } from "@modelcontextprotocol/server";
import { JsonScan } from "./json_scan.ts";
import { MAX_DEPTH, MAX_ITEMS, readMessage, type Refusal, refuse, tooLong } from "./message.ts";

/** A message, or its refusal; `status` is that of HTTP. */
export type Read =
  | { readonly message: JSONRPCMessage }
  | { readonly refusal: Refusal; readonly status: 400 | 413 };

/** What each item takes in memory beyond its bytes. Of many forms of JSON, `{"40":0}` took the most: 99 bytes. */
const ITEM_BYTES = 100;

/**
 * How many pieces of a text are joined at once. HTTP may bring pieces of one byte. If each were added by itself, it would take
 * 32 bytes of memory until the text is read.
 */
const MAX_PIECES = 1_000;

export class MessageReader {
  readonly #maxBytes: number;
  readonly #scan = new JsonScan();
  readonly #decoder = new TextDecoder();
  #text = "";
  /** The last pieces of the text, which are not joined yet. */
  #pieces: string[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** An upper estimate of the memory that the message takes once it is parsed, in bytes. */
  get memory(): number {
    return this.#size + ITEM_BYTES * this.#scan.items;
  }

  /** Takes the next bytes. Once it returns `false`, the message is refused, and further bytes can only reveal its id. */
  push(chunk: Uint8Array): boolean {
    this.#size += chunk.length;
    this.#scan.push(chunk);
    if (this.#refusal() !== undefined) {
      this.#text = "";
      this.#pieces = [];
      return false;
    }
    this.#pieces.push(this.#decoder.decode(chunk, { stream: true }));
    if (this.#pieces.length === MAX_PIECES) this.#join();
    return true;
  }

  /** The message, once all of it has arrived; `undefined` if there was nothing but space. */
  end(): Read | undefined {
    const refused = this.#refusal();
    if (refused) return { refusal: refuse(INVALID_REQUEST, refused.why, this.#scan.id), status: refused.status };
    this.#join();
    const text = (this.#text + this.#decoder.decode()).trim();
    if (text === "") return undefined;
    const read = readMessage(text);
    return "message" in read ? read : { ...read, status: 400 };
  }

  #join(): void {
    this.#text += this.#pieces.join("");
    this.#pieces = [];
  }

  #refusal(): { readonly why: string; readonly status: 400 | 413 } | undefined {
    if (this.#size > this.#maxBytes) return { why: tooLong(this.#maxBytes), status: 413 };
    if (this.#scan.deepest > MAX_DEPTH) {
      return { why: `Invalid request: nested deeper than ${MAX_DEPTH} levels.`, status: 400 };
    }
    if (this.#scan.items > MAX_ITEMS) {
      return { why: `Invalid request: the message has more than ${MAX_ITEMS} items.`, status: 400 };
    }
  }
}
