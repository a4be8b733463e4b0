/**
 * The trace to which a task belongs.
 *
 * @module
 */

/** The trace to which something belongs, in the words of the W3C recommendation "Trace Context". */
export interface TraceContext {
  /** The ids of the trace and of the span above. */
  readonly traceparent: string;
  /** What tracing systems add to it. */
  readonly tracestate?: string;
}
