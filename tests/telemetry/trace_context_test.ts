import { createTraceState, INVALID_SPAN_CONTEXT, propagation, type TextMapPropagator, trace } from "@opentelemetry/api";
import { contextBelow, traceOf } from "../../src/telemetry/trace_context.ts";
import { assertEquals } from "../../tools/std.ts";

const IDS = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const traceparent = `00-${IDS.traceId}-${IDS.spanId}-01`;
const tracestate = "vendor=1";

/** What a span below a stored trace would have as its parent. */
function parentIn(stored: { readonly traceparent: string; readonly tracestate?: string }) {
  const { traceState, ...of } = trace.getSpanContext(contextBelow({ from: "task", trace: stored })) ?? {};
  return { ...of, tracestate: traceState?.serialize() };
}

Deno.test("a trace is stored as W3C Trace Context has it, and read again as that of another process", () => {
  const traceState = createTraceState(tracestate);
  assertEquals(traceOf({ spanContext: () => ({ ...IDS, traceFlags: 1, traceState }) }), { traceparent, tracestate });
  assertEquals(traceOf({ spanContext: () => ({ ...IDS, traceFlags: 1 }) }), { traceparent });
  const parent = { ...IDS, traceFlags: 1, isRemote: true };
  assertEquals(parentIn({ traceparent, tracestate }), { ...parent, tracestate });
  assertEquals(parentIn({ traceparent }), { ...parent, tracestate: undefined });
  const unsampled = traceparent.replace(/01$/, "00");
  assertEquals(parentIn({ traceparent: unsampled }), { ...parent, traceFlags: 0, tracestate: undefined });
});

Deno.test("no trace is stored without a provider, and what is no trace is nobody's parent", () => {
  assertEquals(traceOf({ spanContext: () => INVALID_SPAN_CONTEXT }), undefined);
  assertEquals(parentIn({ traceparent: "of another kind" }), { tracestate: undefined });
});

Deno.test("a client's trace is read by the propagator of the process, and not at all if that fails", () => {
  const client = { from: "client", trace: { traceparent } } as const;
  assertEquals(trace.getSpanContext(contextBelow(client)), undefined);
  const extract: TextMapPropagator["extract"] = () => {
    throw new Error("The propagator fails.");
  };
  propagation.setGlobalPropagator({ inject: () => {}, extract, fields: () => [] });
  try {
    assertEquals(trace.getSpanContext(contextBelow(client)), undefined);
  } finally {
    propagation.disable();
  }
});
