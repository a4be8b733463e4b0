/** A provider that throws, although OpenTelemetry forbids it, changes nothing but what is exported. */
import { type Context, context, metrics, propagation, type Span, trace } from "@opentelemetry/api";
import { AsyncToolServer, createClient, createWorker, defineJob, MemoryBackend, ToolError } from "../../mod.ts";
import { writeThrough } from "../../src/log/stderr.ts";
import { injectedTrace } from "../../src/telemetry/spans.ts";
import { pause } from "../../src/waiting.ts";
import { request, TASKS } from "../mcp/support/modern.ts";
import { assertEquals, assertMatch, assertRejects } from "../../tools/std.ts";

/** An object whose methods all throw, except those given. */
function failing<T extends object>(methods: Partial<T> = {}): T {
  return new Proxy(methods, {
    get: (has, name) => Reflect.get(has, name) ?? (() => fail(String(name))),
  }) as T;
}

function fail(name: string): never {
  throw new Error(`${name} of the provider\nfails`);
}

const job = defineJob({
  name: "report",
  input: { type: "object" },
  run: async (_, ctx) => await ctx.step("load", () => 42),
});

const broken = defineJob({
  name: "broken",
  input: { type: "object" },
  run: (): string => {
    throw new ToolError("It cannot be read.");
  },
});

/** Calls the job over HTTP, and starts it beside MCP. */
async function serve(): Promise<void> {
  await using backend = new MemoryBackend();
  const server = new AsyncToolServer({ name: "failing", version: "1.0.0", backend });
  server.registerAsyncTool(job);
  await using _ = createWorker(backend, [job, broken]);
  const call = request(new URL("http://localhost/mcp"), "tools/call", { name: "report", arguments: {} }, TASKS);
  assertMatch(await (await server.fetch(call)).text(), /"structuredContent":42|"text":"42"/);
  using client = createClient(backend, { owner: "user:ann" });
  assertEquals(await client.wait(await client.start(job, {})), 42);
  const failed = await client.start(broken, {});
  await assertRejects(() => client.wait(failed), ToolError, "It cannot be read.");
  await server.close();
  await pause(0); // Whatever is thrown in a microtask has ended the process by now.
}

Deno.test("a provider whose every method throws fails no call and ends no process, and stderr gets one line", async () => {
  const lines: string[] = [];
  const end = writeThrough({ write: (line) => lines.push(line) });
  const noop = metrics.getMeterProvider();
  const instrument = failing();
  const meter = { createCounter: () => instrument, createHistogram: () => instrument };
  const begin = (_: string, __: unknown, ___: Context, run: (span: Span) => unknown) => run(failing<Span>());
  const providers = [
    { meter: failing(), tracer: failing() },
    { meter: failing(meter), tracer: failing({ startActiveSpan: begin, startSpan: () => failing<Span>() }) },
    { meter: undefined, tracer: failing() },
  ];
  let current = failing();
  // OpenTelemetry keeps the first tracer that it is given.
  const tracer = new Proxy({}, { get: (_, name) => Reflect.get(current, name) });
  try {
    for (const { meter, tracer: next } of providers) {
      current = next;
      metrics.setGlobalMeterProvider(failing(meter && { getMeter: () => meter as never }));
      trace.setGlobalTracerProvider(failing({ getTracer: () => tracer as never }));
      propagation.setGlobalPropagator(failing());
      await serve();
      assertEquals(injectedTrace(), {});
      for (const api of [metrics, trace, propagation, context]) api.disable();
    }
  } finally {
    end();
  }
  assertEquals(metrics.getMeterProvider(), noop);
  assertEquals(lines.length, 1);
  assertMatch(lines[0] ?? "", /^mcp-jobs: OpenTelemetry's provider fails.+\\u000afails$/);
});
