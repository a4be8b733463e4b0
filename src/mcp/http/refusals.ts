/**
 * The HTTP responses to requests that are not served: a limit is reached, or the server cannot serve now.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import type { LimitExceeded } from "../../errors.ts";
import { limitError } from "../errors.ts";

/** The HTTP response to a message that exceeds a limit. It has the id of a request, else `null`: the id of a response is ours. */
export function limitResponse(
  error: LimitExceeded,
  status: 413 | 429 | 503,
  refused?: JSONRPCMessage,
): Response {
  const { code, message, data } = limitError(error);
  const id = refused && "method" in refused && "id" in refused ? refused.id : null;
  const { retryAfter } = error;
  const headers = retryAfter === undefined ? undefined : { "retry-after": `${Math.ceil(retryAfter / 1_000)}` };
  return Response.json({ jsonrpc: "2.0", id, error: { code, message, data } }, { status, headers });
}

/** Response 503, with the time after which to try again. */
export function unavailable(error: string): Response {
  return Response.json({ status: "unavailable", error }, { status: 503, headers: { "retry-after": "5" } });
}

export function shuttingDown(): Response {
  return unavailable("The server is shutting down.");
}
