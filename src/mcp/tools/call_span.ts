/**
 * The span of a tool call (OpenTelemetry's conventions for MCP, "Server").
 *
 * @module
 */
import type { Result } from "@modelcontextprotocol/server";
import { type Measured, measured } from "../../telemetry/metrics.ts";
import { isObserved } from "../../telemetry/task_spans.ts";
import { failureOf, inSpan, rpcCodeOf, type Span } from "../../telemetry/spans.ts";
import { parentOf } from "../../telemetry/trace_context.ts";
import type { RequestContext } from "../host.ts";
import { requestAttributes, type Versioned } from "../messages/request_time.ts";
import { traceOf } from "../messages/request_trace.ts";

/**
 * Runs the call of a tool in a span, below the client's own span if the request names one. Only a tool of ours, `ours`, stands in
 * the span's name: clients may call any name, and names of spans should have few values.
 */
export function inCallSpan(
  ours: string | undefined,
  called: string,
  server: Versioned,
  ctx: RequestContext,
  run: () => Promise<Result>,
): Promise<Result> {
  if (!isObserved()) return run();
  const { sessionId, mcpReq: { id } } = ctx;
  const common = { ...requestAttributes("tools/call", server, ctx), "gen_ai.operation.name": "execute_tool" };
  const attributes = {
    ...common,
    "gen_ai.tool.name": called.slice(0, 100),
    "jsonrpc.request.id": String(id),
    ...(sessionId !== undefined && { "mcp.session.id": sessionId }),
  };
  const name = ours === undefined ? "tools/call" : `tools/call ${ours}`;
  const end = measured("call", { ...common, ...(ours !== undefined && { "gen_ai.tool.name": ours }) });
  const parent = parentOf("client", traceOf(ctx));
  return inSpan({ name, kind: "SERVER", attributes, parent }, (span) => {
    return end || span.isRecording() ? ended(span, run(), end) : run();
  });
}

/** Says of a call how it has ended. */
async function ended(span: Span, calling: Promise<Result>, end: Measured | undefined): Promise<Result> {
  try {
    const result = await calling;
    if (result.isError === true) span.fail("tool_error");
    end?.(result.isError === true ? { "error.type": "tool_error" } : undefined);
    return result;
  } catch (error) {
    const code = rpcCodeOf(error);
    if (code !== undefined) span.setAttribute("rpc.response.status_code", code);
    end?.(failureOf(error));
    throw error;
  }
}
