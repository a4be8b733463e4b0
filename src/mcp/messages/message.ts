/**
 * Parses one JSON-RPC message: what both transports accept, and the refusals of everything else.
 *
 * @module
 */
import { INVALID_REQUEST, type JSONRPCMessage, PARSE_ERROR, parseJSONRPCMessage } from "@modelcontextprotocol/server";
import { MAX_VALUE_BYTES } from "../../json.ts";
import { MAX_NAME, unusableName } from "./names.ts";

/** How deeply a message may be nested. Code that walks a deeper one could run out of stack. */
export const MAX_DEPTH = 256;

/** How many values a message may hold. This many take up to 1.5 s and 200 MB to parse and check. */
export const MAX_ITEMS = 1_000_000;

/** Room for everything in a message but the input: its envelope, and the small parameters of other requests. */
const ENVELOPE_BYTES = 1024 * 1024;

/** The longest message, in bytes, if an input may have `inputBytes` of JSON. An input that cannot be stored does not count. */
export function maxMessageBytes(inputBytes: number): number {
  return Math.min(inputBytes, MAX_VALUE_BYTES) + ENVELOPE_BYTES;
}

/** The answer to something that is not a message. JSON-RPC 2.0, section 5: the id is null if it cannot be determined. */
export interface Refusal {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly error: { readonly code: number; readonly message: string };
}

/** Parses one message, whose length and depth are checked already. */
export function readMessage(text: string): { readonly message: JSONRPCMessage } | { readonly refusal: Refusal } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { refusal: refuse(PARSE_ERROR, `Parse error: ${error instanceof Error ? error.message : error}`) };
  }
  // Revision 2025-06-18 removed batches from MCP.
  if (Array.isArray(value)) {
    return { refusal: refuse(INVALID_REQUEST, "Invalid request: JSON-RPC batches are not supported.") };
  }
  let message: JSONRPCMessage;
  try {
    message = parseJSONRPCMessage(value);
  } catch {
    // The client receives this.
    return { refusal: refuse(INVALID_REQUEST, "Invalid request: not a JSON-RPC 2.0 message.", idOf(value)) };
  }
  const unusable = unusableName(message);
  if (unusable === undefined) return { message };
  const why = `Invalid request: its ${unusable} must be well-formed text of at most ${MAX_NAME} characters.`;
  return { refusal: refuse(INVALID_REQUEST, why, unusable === "id" ? null : idOf(value)) };
}

/** Why a message is refused that has more than so many bytes. */
export function tooLong(maxBytes: number): string {
  return `Invalid request: the message has more than ${maxBytes} bytes.`;
}

/** Makes the refusal of something that is not a request. */
export function refuse(code: number, message: string, id: Refusal["id"] = null): Refusal {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

/** The request that a message cancels, and the client's reason; `undefined` if it cancels none. */
export function cancelledBy(
  message: JSONRPCMessage,
): { readonly id: string | number; readonly reason: unknown } | undefined {
  if (!("method" in message) || message.method !== "notifications/cancelled") return undefined;
  const { requestId: id, reason } = message.params ?? {};
  return typeof id === "string" || typeof id === "number" ? { id, reason } : undefined;
}

/** The reason with which a process ends a request that its client has resumed in another one. */
export const RESUMED_ELSEWHERE = "mcp-jobs: the client has resumed this request in another process";

/** Tells other processes that the client has resumed a request in this one. */
export function resumedElsewhere(requestId: string | number): JSONRPCMessage {
  return { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId, reason: RESUMED_ELSEWHERE } };
}

function idOf(value: unknown): Refusal["id"] {
  const id = typeof value === "object" && value !== null && "id" in value ? value.id : null;
  return typeof id === "string" || typeof id === "number" ? id : null;
}
