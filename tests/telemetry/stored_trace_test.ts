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
  /** What was set after it was begun. */
  readonly attributes: Record<string, unknown>;
}

/** A provider that makes spans with the flags that it is given, and remembers them. */
class Provider implements TracerProvider {
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
      const attributes: Record<string, unknown> = {};
      const span = trace.wrapSpanContext(spanContext);
      span.setAttribute = (key, value) => {
        attributes[key] = value;
        return span;
      };
      this.begun.push({ name, span, parent: trace.getSpanContext(above)?.spanId, links, active, attributes });
      return span;
    };
    const tracer = {
      startSpan: (name: string, options: SpanOptions, above: Context) => begin(false, name, options, above),
      startActiveSpan: <T>(name: string, options: SpanOptions, above: Context, run: (span: Span) => T) =>
        run(begin(true, name, options, above)),
    };
    return tracer as unknown as Tracer;
  }
}

/** One for all tests: the process remembers the first. */
const provider = new Provider();

Deno.test("the attempt of a task is below the span that stored it, also without a propagator and if it is sampled out", async () => {
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

Deno.test("the span of a start that finds a task names that task", async () => {
  await using backend = new MemoryBackend();
  const job = defineJob({ name: "report", input: { type: "object" } });
  using client = createClient(backend, { owner: "user:ann" });
  const { id } = await client.start(job, {}, { key: "daily" });
  assertEquals((await client.start(job, {}, { key: "daily" })).id, id);
  assertEquals(provider.begun.splice(0).map(({ attributes }) => attributes), [{}, { "messaging.message.id": id }]);
});
