/** The trace that is stored with a task, with a provider of the test's own and no propagator in the process. */
import {
  type Context,
  type Link,
  type Span,
  type SpanOptions,
  trace,
  TraceFlags,
  type Tracer,
  type TracerProvider,
} from "@opentelemetry/api";
import { createClient, createWorker, defineJob, MemoryBackend } from "../../mod.ts";
import { assert, assertEquals } from "../../tools/std.ts";

/** A span that was begun, with what stands above it. */
interface Begun {
  readonly name: string;
  readonly span: Span;
  readonly parent: string | undefined;
  readonly links: readonly Link[];
  readonly active: boolean;
}

/** A provider that makes spans with the flags that it is given, and remembers them. */
class Provider implements TracerProvider, Disposable {
  readonly begun: Begun[] = [];
  flags: TraceFlags = TraceFlags.NONE;
  #count = 0;

  constructor() {
    assert(trace.setGlobalTracerProvider(this));
  }

  getTracer(): Tracer {
    const begin = (active: boolean, name: string, { links = [] }: SpanOptions, above: Context): Span => {
      const spanContext = {
        traceId: "0af7651916cd43dd8448eb211c80319c",
        spanId: `${++this.#count}`.padStart(16, "0"),
        traceFlags: this.flags,
      };
      const span = trace.wrapSpanContext(spanContext);
      this.begun.push({ name, span, parent: trace.getSpanContext(above)?.spanId, links, active });
      return span;
    };
    const tracer = {
      startSpan: (name: string, options: SpanOptions, above: Context) => begin(false, name, options, above),
      startActiveSpan: <T>(name: string, options: SpanOptions, above: Context, run: (span: Span) => T) =>
        run(begin(true, name, options, above)),
    };
    return tracer as unknown as Tracer;
  }

  [Symbol.dispose](): void {
    trace.disable();
  }
}

Deno.test("the attempt of a task is below the span that stored it, also without a propagator and if it is sampled out", async () => {
  using provider = new Provider();
  await using backend = new MemoryBackend();
  const job = defineJob({ name: "report", input: { type: "object" }, run: () => null });
  await using _worker = createWorker(backend, [job]);
  using client = createClient(backend, { owner: "user:ann" });
  for (const flags of [TraceFlags.SAMPLED, TraceFlags.NONE]) {
    provider.flags = flags;
    await client.wait(await client.start(job, {}));
    const [send, process, ...others] = provider.begun.splice(0);
    assertEquals([send?.name, send?.active], ["send report", false]); // Nothing that has spans runs in it.
    assertEquals([process?.name, process?.active, others], ["process report", true, []]);
    const sent = send?.span.spanContext();
    const { spanId, traceFlags } = process?.links[0]?.context ?? {};
    assertEquals([process?.parent, spanId, traceFlags], [sent?.spanId, sent?.spanId, flags]);
  }
});
