/**
 * The trace of a task, as it is stored with it: always as W3C "Trace Context" has it, whichever propagators the process
 * has. These decide only what is taken from clients and sent to them.
 *
 * @module
 */
import {
  type Context,
  context,
  createTraceState,
  INVALID_TRACEID,
  isSpanContextValid,
  propagation,
  type Span,
  trace,
} from "@opentelemetry/api";
import type { TraceContext } from "../backend.ts";
import { quietly } from "./quiet.ts";

/** Where a trace comes from: from a client, or stored with a task by a process like this one. */
export interface Parent {
  readonly from: "client" | "task";
  readonly trace: TraceContext;
}

/** The parent of a span in a trace, if there is one. */
export function parentOf(from: Parent["from"], trace: TraceContext | undefined): Parent | undefined {
  return trace && { from, trace };
}

/** The context of a span; `undefined` for the span of a process without a provider. */
export function traceOf(span: Pick<Span, "spanContext">): TraceContext | undefined {
  return quietly(() => textOf(span), undefined);
}

function textOf(span: Pick<Span, "spanContext">): TraceContext | undefined {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  if (traceId === INVALID_TRACEID) return undefined;
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  const tracestate = traceState?.serialize();
  return tracestate ? { traceparent, tracestate } : { traceparent };
}

/** The active context, with the trace of `parent` in it. */
export function contextBelow({ from, trace: of }: Parent): Context {
  const active = context.active();
  if (from === "client") return quietly(() => propagation.extract(active, of), active);
  const [, traceId = "", spanId = "", flags = ""] = of.traceparent.split("-");
  const traceState = of.tracestate === undefined ? undefined : createTraceState(of.tracestate);
  const spanContext = { traceId, spanId, traceFlags: parseInt(flags, 16) & 0xff, isRemote: true, traceState };
  return isSpanContextValid(spanContext) ? trace.setSpanContext(active, spanContext) : active;
}
