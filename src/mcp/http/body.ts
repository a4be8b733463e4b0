/**
 * Reads one JSON-RPC message from the body of an HTTP request.
 *
 * @module
 */
import { isJsonContentType, type JSONRPCMessage } from "@modelcontextprotocol/server";
import type { LimitExceeded } from "../../errors.ts";
import { empty, incomplete, notJson, type Refusal, tooLong, tooSlow } from "../messages/message.ts";
import type { HeldMessage } from "../messages/held.ts";
import { MessageReader } from "../messages/reader.ts";
import { doneWithin } from "../../waiting.ts";

/** The limits of a body. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** How long the whole body may take to arrive, in ms. */
  readonly timeout: number;
}

/** What a body held: a message, the refusal to send, or the error if there is no room for it. `memory` is how much it takes. */
export type Body =
  | { readonly memory: number; readonly message: JSONRPCMessage }
  | { readonly memory: number; readonly refusal: Refusal; readonly status: 400 | 408 | 413 | 415 }
  | { readonly memory: number; readonly noRoom: LimitExceeded };

/** The longest body that is read as a whole, in bytes. */
const SMALL = 8_192;

/** Reads a body as it arrives: a length that is announced but never sent takes no memory. What arrives is counted by `held`. */
export async function readBody(request: Request, { maxBytes, timeout }: BodyLimits, held: HeldMessage): Promise<Body> {
  if (!isJsonContentType(request.headers.get("content-type"))) return { memory: 0, refusal: notJson(), status: 415 };
  const length = request.headers.get("content-length");
  if (Number(length) > maxBytes) {
    await request.body?.cancel().catch(() => {}); // It has ended already.
    return { memory: 0, refusal: tooLong(maxBytes), status: 413 };
  }
  const message = new MessageReader(maxBytes);
  let noRoom: LimitExceeded | undefined;
  const push = (chunk: Uint8Array) => {
    if (!message.push(chunk)) return false;
    noRoom = held.grow(message.memory);
    return noRoom === undefined;
  };
  try {
    const arrives = length !== null && Number(length) <= SMALL ? readAtOnce : readStream;
    if (!await arrives(request, push, timeout)) {
      return { memory: message.memory, refusal: tooSlow(timeout), status: 408 };
    }
  } catch {
    // The client is gone, or what it sends is not HTTP.
    return { memory: message.memory, refusal: incomplete(), status: 400 };
  }
  if (noRoom) return { memory: message.memory, noRoom };
  return { memory: message.memory, ...(message.end() ?? { refusal: empty(), status: 400 }) };
}

/** Takes the next bytes; returns `false` if no more are wanted. */
type Push = (chunk: Uint8Array) => boolean;

/**
 * As `readStream`. For each stream, Deno keeps 64 KiB of memory until the response is sent; for this it does not. The
 * requests of adapters such as `@hono/node-server` 1 have no `bytes`.
 */
async function readAtOnce(request: Request, push: Push, timeout: number): Promise<boolean> {
  const whole = request.arrayBuffer();
  // What arrives later belongs to no message any more.
  if (!await doneWithin(whole, timeout)) return false;
  push(new Uint8Array(await whole));
  return true;
}

/** Resolves with whether the body has arrived in time, or what did is refused. */
async function readStream({ body }: Request, push: Push, timeout: number): Promise<boolean> {
  const reader = body?.getReader();
  const read = async () => {
    let next = await reader?.read();
    while (next?.value && push(next.value)) next = await reader?.read();
  };
  try {
    return await doneWithin(read(), timeout);
  } finally {
    // An unread body would stay open.
    await reader?.cancel().catch(() => {});
  }
}
