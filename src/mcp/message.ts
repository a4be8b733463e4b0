/**
 * From text to one JSON-RPC message: what both transports accept, and what they answer to the rest.
 *
 * @module
 */
import { INVALID_REQUEST, type JSONRPCMessage, PARSE_ERROR, parseJSONRPCMessage } from "@modelcontextprotocol/server";

/** The longest message, in bytes: room for the largest input and its envelope. */
export const MAX_MESSAGE_BYTES: number = 32 * 1024 * 1024;

/** How deep a message may be nested. Code that walks a deeper one would run out of stack. */
const MAX_DEPTH = 256;

/** The answer to what is no message. JSON-RPC 2.0, section 5: the id is null where it cannot be known. */
export interface Refusal {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly error: { readonly code: number; readonly message: string };
}

/** Reads one message. */
export function readMessage(text: string): { readonly message: JSONRPCMessage } | { readonly refusal: Refusal } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { refusal: refuse(PARSE_ERROR, `Parse error: ${error instanceof Error ? error.message : error}`) };
  }
  // 2025-06-18 took batches out of MCP.
  if (Array.isArray(value)) {
    return { refusal: refuse(INVALID_REQUEST, "Invalid request: JSON-RPC batches are not supported.") };
  }
  // A level takes two characters at least.
  if (text.length > 2 * MAX_DEPTH && isDeeper(value, MAX_DEPTH)) {
    return {
      refusal: refuse(INVALID_REQUEST, `Invalid request: nested deeper than ${MAX_DEPTH} levels.`, idOf(value)),
    };
  }
  try {
    return { message: parseJSONRPCMessage(value) };
  } catch {
    return { refusal: refuse(INVALID_REQUEST, "Invalid request: not a JSON-RPC 2.0 message.", idOf(value)) };
  }
}

/** The answer to a body of another type. */
export function notJson(): Refusal {
  return refuse(INVALID_REQUEST, "Invalid request: the content type must be application/json.");
}

/** The answer to a request whose Host header makes no URL. */
export function badUrl(): Refusal {
  return refuse(INVALID_REQUEST, "Invalid request: its URL, with the Host header, is none.");
}

/** The answer to a body that breaks off. */
export function incomplete(): Refusal {
  return refuse(PARSE_ERROR, "Parse error: the body cannot be read to its end.");
}

/** The answer to a message that is too long to be read. */
export function tooLong(): Refusal {
  return refuse(INVALID_REQUEST, `Invalid request: the message has more than ${MAX_MESSAGE_BYTES} bytes.`);
}

/** An error that answers what is no request. */
export function refuse(code: number, message: string, id: Refusal["id"] = null): Refusal {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

/** Goes down level by level, not value by value: that needs no stack. */
function isDeeper(value: unknown, depth: number): boolean {
  let level: readonly unknown[] = [value];
  for (let left = depth; left >= 0 && level.length > 0; left--) {
    level = level.flatMap((one) => typeof one === "object" && one !== null ? Object.values(one) : []);
  }
  return level.length > 0;
}

function idOf(value: unknown): Refusal["id"] {
  const id = typeof value === "object" && value !== null && "id" in value ? value.id : null;
  return typeof id === "string" || typeof id === "number" ? id : null;
}
