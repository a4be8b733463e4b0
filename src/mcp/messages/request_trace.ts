/**
 * The trace that a client states with a request (W3C "Trace Context").
 *
 * @module
 */
import type { TraceContext } from "../../backend.ts";
import { isObject } from "../../json.ts";
import { isTraced } from "../../telemetry/spans.ts";
import type { RequestContext } from "../host.ts";

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
