/**
 * The span of a tool call (OpenTelemetry's conventions for MCP, "Server").
 *
 * @module
 */
import type { Result } from "@modelcontextprotocol/server";
import type { TraceContext } from "../../backend.ts";
import { isObject } from "../../json.ts";
import { type Measured, measured } from "../../telemetry/metrics.ts";
import { isObserved } from "../../telemetry/task_spans.ts";
import { failureOf, inSpan, isTraced, rpcCodeOf, type Span } from "../../telemetry/spans.ts";
import { parentOf } from "../../telemetry/trace_context.ts";
import type { RequestContext } from "../host.ts";
import { requestAttributes, type Versioned } from "../messages/request_time.ts";

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

/** The client's trace: from `_meta` of the request, else from the HTTP headers, unless the process follows these itself. */
export function traceOf({ mcpReq: { _meta }, http }: RequestContext): TraceContext | undefined {
  if (_meta?.traceparent !== undefined) return traceOfMeta(_meta);
  const traceparent = http?.req?.headers.get("traceparent");
  return traceparent && !isTraced() ? stated(traceparent, http?.req?.headers.get("tracestate")) : undefined;
}

/** The trace that `_meta` of a request names. */
export function traceOfMeta(meta: unknown): TraceContext | undefined {
  if (!isObject(meta) || typeof meta.traceparent !== "string") return undefined;
  return stated(meta.traceparent, meta.tracestate);
}

/** A `traceparent` (W3C "Trace Context"): version, trace, span and flags; later versions may have more. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]{0,100})?$/;

/** The longest `tracestate` that is passed on, in characters: as long as the recommendation asks for. */
const MAX_TRACESTATE = 512;

/** The trace that a client states; `undefined` for a malformed one, which is to be ignored. It is stored with the task. */
function stated(traceparent: string, tracestate: unknown): TraceContext | undefined {
  if (!TRACEPARENT.test(traceparent)) return undefined;
  const fits = typeof tracestate === "string" && tracestate !== "" && tracestate.length <= MAX_TRACESTATE;
  return { traceparent, ...(fits && { tracestate }) };
}
