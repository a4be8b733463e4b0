/**
 * The span of a tool call (OpenTelemetry's conventions for MCP, "Server").
 *
 * @module
 */
import type { Result } from "@modelcontextprotocol/server";
import type { TraceContext } from "../../backend.ts";
import { isObject } from "../../json.ts";
import { inSpan, isTraced, markFailed, type Span } from "../../telemetry/spans.ts";
import type { RequestContext } from "../host.ts";

/**
 * Runs the call of a tool in a span, below the client's own span if the request names one. Only a tool of ours, `ours`, stands in
 * the span's name: clients may call any name, and names of spans should have few values.
 */
export function inCallSpan(
  ours: string | undefined,
  called: string,
  ctx: RequestContext,
  run: () => Promise<Result>,
): Promise<Result> {
  const { sessionId, mcpReq: { id }, http } = ctx;
  const attributes = {
    "mcp.method.name": "tools/call",
    "gen_ai.operation.name": "execute_tool",
    "gen_ai.tool.name": called.slice(0, 100),
    "jsonrpc.request.id": String(id),
    "network.transport": http === undefined ? "pipe" : "tcp",
    ...(sessionId !== undefined && { "mcp.session.id": sessionId }),
  };
  const name = ours === undefined ? "tools/call" : `tools/call ${ours}`;
  return inSpan(
    { name, kind: "SERVER", attributes, parent: traceOf(ctx) },
    (span) => span.isRecording() ? marked(span, run()) : run(),
  );
}

async function marked(span: Span, calling: Promise<Result>): Promise<Result> {
  const result = await calling;
  if (result.isError === true) markFailed(span, "tool_error");
  return result;
}

/** The client's trace: from `_meta` of the request, else from the HTTP headers, unless the process follows these itself. */
function traceOf({ mcpReq: { _meta }, http }: RequestContext): TraceContext | undefined {
  const meta: unknown = _meta;
  if (isObject(meta) && typeof meta.traceparent === "string") return stated(meta.traceparent, meta.tracestate);
  const traceparent = http?.req?.headers.get("traceparent");
  return traceparent && !isTraced() ? stated(traceparent, http?.req?.headers.get("tracestate")) : undefined;
}

function stated(traceparent: string, tracestate: unknown): TraceContext {
  return { traceparent, ...(typeof tracestate === "string" && { tracestate }) };
}
