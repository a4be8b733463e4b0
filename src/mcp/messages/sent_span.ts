/**
 * The spans of notifications and requests to the client (OpenTelemetry's conventions for MCP, "Client": who initiates a
 * message is its client).
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import type { TraceContext } from "../../backend.ts";
import { injectedTrace, inSpan } from "../../telemetry/spans.ts";
import { parentOf } from "../../telemetry/trace_context.ts";

/**
 * Sends a message. A notification or a request is sent in a span, whose context goes with it in `_meta`; for a response,
 * which belongs to the span of its request, there is none. `trace`: the span is below this one of the client, and not the
 * active one.
 */
export function inSentSpan(
  message: JSONRPCMessage,
  send: (message: JSONRPCMessage) => Promise<void>,
  trace?: TraceContext,
): Promise<void> {
  if (!("method" in message)) return send(message);
  const { method } = message;
  const id = "id" in message ? message.id : undefined;
  const attributes = { "mcp.method.name": method, ...(id !== undefined && { "jsonrpc.request.id": String(id) }) };
  return inSpan({ name: method, kind: "CLIENT", attributes, parent: parentOf("client", trace) }, (span) => {
    if (!span.isRecording()) return send(message);
    const params = { ...message.params, _meta: { ...message.params?._meta, ...injectedTrace() } };
    return send({ ...message, params });
  });
}
