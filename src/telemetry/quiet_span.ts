/**
 * A span as the rest of the code uses it: none of its methods throws.
 *
 * @module
 */
import { INVALID_SPAN_CONTEXT, type Span, type SpanContext, SpanStatusCode } from "@opentelemetry/api";
import { quietly } from "./quiet.ts";

/** A span of the process's provider. */
export class QuietSpan {
  readonly #span: Span;

  constructor(span: Span) {
    this.#span = span;
  }

  isRecording(): boolean {
    return quietly(() => this.#span.isRecording(), false);
  }

  setAttribute(name: string, value: string | boolean): void {
    quietly(() => this.#span.setAttribute(name, value), undefined);
  }

  spanContext(): SpanContext {
    return quietly(() => this.#span.spanContext(), INVALID_SPAN_CONTEXT);
  }

  /** Marks it as failed; `type` is one of few values, such as the class of an error. */
  fail(type: string): void {
    this.setAttribute("error.type", type);
    quietly(() => this.#span.setStatus({ code: SpanStatusCode.ERROR }), undefined);
  }

  end(): void {
    quietly(() => this.#span.end(), undefined);
  }
}
