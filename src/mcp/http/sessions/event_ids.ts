/**
 * The ids of events, which any process can read: they say where a client that resumes a stream goes on, and what it waits
 * for on that stream. So the client itself keeps what a server needs if the one that it has called is killed.
 *
 * @module
 */
import { isJSONRPCRequest } from "@modelcontextprotocol/server";
import { Buffer } from "node:buffer";
import { isTaskId } from "../../../ids.ts";
import { isObject } from "../../../json.ts";
import type { Substitute } from "../../host.ts";
import { MessageReader } from "../../messages/reader.ts";

/** Separates id and stream in an event id. `LAST` marks the response that ends the stream. */
const PART = ".";
const LAST = "!";

/** Separates the stream from its request. */
const REQUEST = "~";

/** The longest description of a request, in UTF-16 units of JSON: an event id is sent with every message. */
const MAX_REQUEST_TEXT = 1_000;

/** The methods of requests that can be replaced, and so of those that replace them. */
const REPLACEABLE: readonly string[] = ["tools/call", "tasks/result"];

/** More than fits into the headers of a request. */
const MAX_MESSAGE_BYTES = 65_536;

export interface StreamRequest {
  readonly id: string | number;
  /** Absent: nothing can replace it. */
  readonly substitute?: Substitute;
}

export interface EventName {
  readonly id: string;
  /** The name of the stream that the event belongs to. */
  readonly stream: string;
  /** Whether the event is the response that ends the stream. */
  readonly last: boolean;
  /** The request of the stream; `undefined` if no request asked for it. */
  readonly request: StreamRequest | undefined;
}

/** Reads an event id; `undefined` if it is not one of ours. */
export function parseEventId(eventId: string): EventName | undefined {
  const [id, mark, rest] = [eventId.slice(0, 36), eventId[36], eventId.slice(37)];
  const [stream = "", request] = rest.split(REQUEST, 2);
  if (!isTaskId(id) || (mark !== PART && mark !== LAST) || !/^[\w-]{1,64}$/.test(stream)) return undefined;
  return { id, stream, last: mark === LAST, request: request === undefined ? undefined : parseRequest(request) };
}

/** Writes an event id. Nobody resumes a stream after its response, so that names no request. */
export function eventIdOf(id: string, stream: string, message: object, request: StreamRequest | undefined): string {
  if ("result" in message || "error" in message) return `${id}${LAST}${stream}`;
  return `${id}${PART}${stream}${request === undefined ? "" : formatRequest(request)}`;
}

function formatRequest({ id, substitute }: StreamRequest): string {
  const text = JSON.stringify(substitute ? [id, substitute.method, substitute.params] : [id]);
  if (text.length <= MAX_REQUEST_TEXT) return `${REQUEST}${Buffer.from(text).toString("base64url")}`;
  return substitute ? formatRequest({ id }) : "";
}

/** The client may have sent anything: it has to be a message like any other. */
function parseRequest(text: string): StreamRequest | undefined {
  try {
    const [id, method, params]: unknown[] = JSON.parse(Buffer.from(text, "base64url").toString());
    const isReplaceable = typeof method === "string" && REPLACEABLE.includes(method) && isObject(params);
    const substitute = isReplaceable ? { method, params } : undefined;
    const reader = new MessageReader(MAX_MESSAGE_BYTES);
    reader.push(Buffer.from(JSON.stringify({ jsonrpc: "2.0", id, method: "ping", ...substitute })));
    const read = reader.end();
    if (read === undefined || "refusal" in read || !isJSONRPCRequest(read.message)) return undefined;
    return { id: read.message.id, ...(substitute && { substitute }) };
  } catch {
    return undefined; // As an event of no request: its stream is resumed all the same.
  }
}
