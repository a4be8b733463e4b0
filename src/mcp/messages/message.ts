/**
 * From text to one JSON-RPC message: what both transports accept, and what they answer to the rest.
 *
 * @module
 */
import { INVALID_REQUEST, type JSONRPCMessage, PARSE_ERROR, parseJSONRPCMessage } from "@modelcontextprotocol/server";
import { MAX_VALUE_BYTES } from "../../json.ts";
import { MAX_NAME, unusableName } from "./names.ts";

/** How deep a message may be nested. Code that walks a deeper one would run out of stack. */
export const MAX_DEPTH = 256;

/** How many values a message may hold: so many take up to 1.5 s and 200 MB to parse and check. */
export const MAX_ITEMS = 1_000_000;

/** Room for all of a message that is not the input: its envelope, and other requests, whose parameters are small. */
const ENVELOPE_BYTES = 1024 * 1024;

/** The longest message, in bytes, where an input may have `inputBytes` of JSON. More than can be stored is never one. */
export function maxMessageBytes(inputBytes: number): number {
  return Math.min(inputBytes, MAX_VALUE_BYTES) + ENVELOPE_BYTES;
}

/** The answer to what is no message. JSON-RPC 2.0, section 5: the id is null where it cannot be known. */
export interface Refusal {
  readonly jsonrpc: "2.0";
  readonly id: string | number | null;
  readonly error: { readonly code: number; readonly message: string };
}

/** Reads one message, which is neither too long nor too deep. */
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
  let message: JSONRPCMessage;
  try {
    message = parseJSONRPCMessage(value);
  } catch {
    return { refusal: refuse(INVALID_REQUEST, "Invalid request: not a JSON-RPC 2.0 message.", idOf(value)) };
  }
  const unusable = unusableName(message);
  if (unusable === undefined) return { message };
  const why = `Invalid request: its ${unusable} must be well-formed text of at most ${MAX_NAME} characters.`;
  return { refusal: refuse(INVALID_REQUEST, why, unusable === "id" ? null : idOf(value)) };
}

/** The answer to a body of another type. */
export function notJson(): Refusal {
  return refuse(INVALID_REQUEST, "Invalid request: the content type must be application/json.");
}

/** The answer to a request whose Host header makes no URL. */
export function badUrl(): Refusal {
  return refuse(INVALID_REQUEST, "Invalid request: its URL, with the Host header, is none.");
}

/** The answer to a body with nothing in it. */
export function empty(): Refusal {
  return refuse(PARSE_ERROR, "Parse error: the body is empty.");
}

/** The answer to a body that breaks off. */
export function incomplete(): Refusal {
  return refuse(PARSE_ERROR, "Parse error: the body cannot be read to its end.");
}

/** The answer to a body that does not come in time. */
export function tooSlow(ms: number): Refusal {
  return refuse(INVALID_REQUEST, `Invalid request: the body did not come within ${ms / 1_000} s.`);
}

/** The answer to a message that is too long to be read. */
export function tooLong(maxBytes: number, id: Refusal["id"] = null): Refusal {
  return refuse(INVALID_REQUEST, `Invalid request: the message has more than ${maxBytes} bytes.`, id);
}

/** The answer to a message that is nested too deep. */
export function tooDeep(id: Refusal["id"]): Refusal {
  return refuse(INVALID_REQUEST, `Invalid request: nested deeper than ${MAX_DEPTH} levels.`, id);
}

/** The answer to a message with too many values. */
export function tooManyItems(id: Refusal["id"]): Refusal {
  return refuse(INVALID_REQUEST, `Invalid request: the message has more than ${MAX_ITEMS} items.`, id);
}

/** An error that answers what is no request. */
export function refuse(code: number, message: string, id: Refusal["id"] = null): Refusal {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

function idOf(value: unknown): Refusal["id"] {
  const id = typeof value === "object" && value !== null && "id" in value ? value.id : null;
  return typeof id === "string" || typeof id === "number" ? id : null;
}
