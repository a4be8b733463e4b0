/**
 * Spans by `@opentelemetry/api`, which does nothing until a process has a provider, as with `OTEL_DENO=true`. No span holds an
 * input, a result or the text of an error: they may be confidential.
 *
 * @module
 */
import {
  type Attributes,
  context,
  INVALID_SPAN_CONTEXT,
  propagation,
  ProxyTracerProvider,
  type Span as ProviderSpan,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import type { TraceContext } from "../backend.ts";
import { TaskParked } from "../errors.ts";
import { kindOf } from "../log/error_kind.ts";
import { quietly } from "./quiet.ts";
import { QuietSpan } from "./quiet_span.ts";
import { contextBelow, type Parent, traceOf } from "./trace_context.ts";

/** Asks for the provider of the process with each span, so it does not matter which is loaded first. */
const tracer = trace.getTracer("@mcp-jobs/mcp-jobs");

/** The span of everything in a process without a provider. */
const NO_SPAN = new QuietSpan(trace.wrapSpanContext(INVALID_SPAN_CONTEXT));

/** What `inSpan` passes on of its span. */
export type Span = Pick<QuietSpan, "isRecording" | "setAttribute" | "spanContext" | "fail">;

/** Whether the process has a provider now. Without one, contexts and spans that do nothing would still take their time. */
export function isTracing(): boolean {
  const provider = trace.getTracerProvider();
  if (!(provider instanceof ProxyTracerProvider)) return true;
  return quietly(() => provider.getDelegateTracer(""), undefined) !== undefined;
}

export interface SpanOptions {
  /** The name. It has few different values: no ids. */
  readonly name: string;
  /** `SERVER` for a request, `CLIENT` for a message to the client, `PRODUCER` for a task that is stored, `CONSUMER` for an attempt. */
  readonly kind: keyof typeof SpanKind;
  readonly attributes: Attributes;
  /**
   * The parent of the span. The span is also linked to the span that stored the task, or else to the active span of the process,
   * such as that of the HTTP request. Default: the active span.
   */
  readonly parent?: Parent;
  /** `false`: it does not become the active span, which costs less. Then nothing that `run` calls may have spans. Default: true. */
  readonly isActive?: boolean;
}

/**
 * Runs `run` inside a span, which ends with it. An error marks the span as failed, with the error's class as its type; that
 * the task is parked is no error, but an attribute.
 */
export function inSpan<T>(
  { name, kind, attributes, parent, isActive = true }: SpanOptions,
  run: (span: Span) => Promise<T>,
): Promise<T> {
  if (!isTracing()) return run(NO_SPAN);
  let running: Promise<T> | undefined;
  const begin = (span: ProviderSpan) => void (running = recorded(new QuietSpan(span), run));
  quietly(() => {
    const above = parent ? contextBelow(parent) : context.active();
    const linked = parent && trace.getSpanContext(parent.from === "task" ? above : context.active());
    const options = { kind: SpanKind[kind], attributes, links: linked && [{ context: linked }] };
    if (isActive) tracer.startActiveSpan(name, options, above, begin);
    else begin(tracer.startSpan(name, options, above));
  }, undefined);
  return running ?? run(NO_SPAN); // If the provider fails, it runs all the same.
}

async function recorded<T>(span: QuietSpan, run: (span: Span) => Promise<T>): Promise<T> {
  if (!span.isRecording()) return await run(span);
  try {
    return await run(span);
  } catch (error) {
    if (error instanceof TaskParked) span.setAttribute("mcp_jobs.parked", true);
    else span.fail(errorTypeOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** What the metric of a request says of the error that ended it. */
export function failureOf(error: unknown): Attributes {
  const code = rpcCodeOf(error);
  return { "error.type": errorTypeOf(error), ...(code !== undefined && { "rpc.response.status_code": code }) };
}

/** The type of an error, one of few values: the code of a JSON-RPC error, else its class. */
function errorTypeOf(error: unknown): string {
  return rpcCodeOf(error) ?? (error instanceof Error ? kindOf(error) : "_OTHER");
}

/** The code of a JSON-RPC error as text; `undefined` for another error. */
export function rpcCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== "ProtocolError") return undefined;
  return "code" in error && typeof error.code === "number" ? String(error.code) : undefined;
}

/** The context of the active span; `undefined` without a provider. */
export function activeTrace(): TraceContext | undefined {
  const span = trace.getActiveSpan();
  return span && traceOf(span);
}

/** The context of the active span for others, if the propagators of the process pass one on. Their baggage is not sent. */
export function injectedTrace(): Partial<TraceContext> {
  const carrier: { traceparent?: string; tracestate?: string } = {};
  quietly(() => propagation.inject(context.active(), carrier), undefined);
  const { traceparent, tracestate } = carrier;
  return { ...(traceparent && { traceparent }), ...(tracestate && { tracestate }) };
}

/** A function that runs in the context that is active now, whoever calls it. */
export function inThisContext<Args extends unknown[]>(run: (...args: Args) => void): (...args: Args) => void {
  return isTracing() ? quietly(() => context.bind(context.active(), run), run) : run;
}

/** Whether a span is active, for example one that the process has begun for the HTTP request. */
export function isTraced(): boolean {
  return trace.getActiveSpan() !== undefined;
}
