/**
 * Reads one JSON-RPC message from the body of an HTTP request.
 *
 * @module
 */
import { isJsonContentType, type JSONRPCMessage } from "@modelcontextprotocol/server";
import { empty, incomplete, notJson, type Refusal, tooLong, tooSlow } from "../messages/message.ts";
import { MessageReader } from "../messages/reader.ts";

/** The limits of a body. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** How long the whole body may take to arrive, in ms. */
  readonly timeout: number;
}

/** What a body held: a message, or the refusal to send. `size` is the number of bytes that were read. */
export type Body =
  | { readonly size: number; readonly message: JSONRPCMessage }
  | { readonly size: number; readonly refusal: Refusal; readonly status: 400 | 408 | 413 | 415 };

/** Reads a body as it arrives: a length that is announced but never sent takes no memory. */
export async function readBody(request: Request, { maxBytes, timeout }: BodyLimits): Promise<Body> {
  if (!isJsonContentType(request.headers.get("content-type"))) return { size: 0, refusal: notJson(), status: 415 };
  const message = new MessageReader(maxBytes);
  const body = request.body?.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    body?.cancel().catch(() => {});
  }, timeout);
  try {
    if (Number(request.headers.get("content-length")) > maxBytes) {
      return { size: 0, refusal: tooLong(maxBytes), status: 413 };
    }
    let next = await body?.read();
    while (next?.value && message.push(next.value)) next = await body?.read();
  } catch {
    // The client is gone, or what it sends is not HTTP.
    return { size: message.size, refusal: incomplete(), status: 400 };
  } finally {
    clearTimeout(timer);
    // An unread body would stay open.
    await body?.cancel().catch(() => {});
  }
  if (isLate) return { size: message.size, refusal: tooSlow(timeout), status: 408 };
  return { size: message.size, ...(message.end() ?? { refusal: empty(), status: 400 }) };
}
