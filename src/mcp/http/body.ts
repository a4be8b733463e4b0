/**
 * Reads one JSON-RPC message from the body of an HTTP request.
 *
 * @module
 */
import { INVALID_REQUEST, isJsonContentType, type JSONRPCMessage, PARSE_ERROR } from "@modelcontextprotocol/server";
import type { LimitExceeded } from "../../errors.ts";
import { type Refusal, refuse, tooLong } from "../messages/message.ts";
import { type HeldMessage, LEAST_HELD_BYTES } from "../messages/held.ts";
import { MessageReader } from "../messages/reader.ts";
import { doneWithin } from "../../waiting.ts";

export interface BodyLimits {
  readonly maxBytes: number;
  /** How long the whole body may take to arrive, in ms. */
  readonly timeout: number;
}

/**
 * What a body held: a message, the refusal to send, or the error if there is no room for it; no message, if the method has none.
 * `memory` is how much it takes.
 */
export type Body =
  | { readonly memory: number; readonly message: JSONRPCMessage | undefined }
  | { readonly memory: number; readonly refusal: Refusal; readonly status: 400 | 408 | 413 | 415 }
  | { readonly memory: number; readonly noRoom: LimitExceeded };

/** The longest body that is read as a whole, in bytes. */
const SMALL = 8_192;

/**
 * Reads a body as it arrives: a length that is announced but never sent takes no memory. What arrives is counted by `held`, and
 * so is a request without a body: it may resume a stream, so that a lost call goes on.
 */
export async function readBody(request: Request, { maxBytes, timeout }: BodyLimits, held: HeldMessage): Promise<Body> {
  if (request.method !== "POST") {
    const noRoom = held.grow(LEAST_HELD_BYTES);
    return noRoom ? { memory: 0, noRoom } : { memory: 0, message: undefined };
  }
  const message = new MessageReader(maxBytes);
  const refused = (status: 400 | 408 | 413 | 415, code: number, why: string): Body => {
    return { memory: message.memory, refusal: refuse(code, why), status };
  };
  if (!isJsonContentType(request.headers.get("content-type"))) {
    return refused(415, INVALID_REQUEST, "Invalid request: the content type must be application/json.");
  }
  if (!/^(identity)?$/i.test(request.headers.get("content-encoding") ?? "")) {
    return refused(415, INVALID_REQUEST, "Invalid request: the body must not be compressed.");
  }
  const length = request.headers.get("content-length");
  if (Number(length) > maxBytes) {
    await request.body?.cancel().catch(() => {}); // It has ended already.
    return refused(413, INVALID_REQUEST, tooLong(maxBytes));
  }
  let noRoom: LimitExceeded | undefined;
  const push = (chunk: Uint8Array) => {
    if (!message.push(chunk)) return false;
    noRoom = held.grow(Math.max(LEAST_HELD_BYTES, message.memory));
    return noRoom === undefined;
  };
  try {
    const arrives = length !== null && Number(length) <= SMALL ? readAtOnce : readStream;
    if (!await arrives(request, push, timeout)) {
      const why = `Invalid request: the body did not arrive within ${timeout / 1_000} s.`;
      return refused(408, INVALID_REQUEST, why);
    }
  } catch {
    // The client is gone, or what it sends is not HTTP.
    return refused(400, PARSE_ERROR, "Parse error: the body ended too early.");
  }
  if (noRoom) return { memory: message.memory, noRoom };
  const read = message.end();
  return read ? { memory: message.memory, ...read } : refused(400, PARSE_ERROR, "Parse error: the body is empty.");
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
