/** What a tracing backend sees: a server with Deno's own provider sends its spans to a receiver in the test. */
import { fileURLToPath } from "node:url";
import { Place } from "../../tools/place.ts";
import { hasPostgresServer } from "../../tools/postgres_server.ts";
import { hasRedisServer } from "../../tools/redis_server.ts";
import { assert, assertEquals } from "../../tools/std.ts";
import { testUnless } from "../support/test_unless.ts";

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string | number; readonly doubleValue?: number };
}

/** A span, as OTLP has it in JSON. */
interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly Attribute[];
  readonly links?: readonly { readonly spanId: string }[];
  readonly status?: { readonly code?: number };
}

const KINDS = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const CLIENT_SPAN = "b7ad6b7169203331";

/** Receives what is exported. */
function receiver() {
  const bodies: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    bodies.push(await request.text());
    return Response.json({});
  });
  return { bodies, url: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}

function spansOf(bodies: readonly string[]): readonly Span[] {
  return bodies.map((body) => JSON.parse(body)).flatMap(({ resourceSpans = [] }) => resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans);
}

/** The spans of a trace as a tree of lines, below the span with this id. */
function treeOf(spans: readonly Span[], above: string, indent = ""): readonly string[] {
  return spans.filter(({ parentSpanId = "" }) => parentSpanId === above).flatMap((span) => {
    const failed = span.status?.code === 2 ? `  ${valueOf(span, "error.type")}` : "";
    const linked = span.links?.some(({ spanId }) => spanId === above) ? "  linked" : "";
    return [
      `${indent}${KINDS[span.kind]} ${span.name}${failed}${linked}`,
      ...treeOf(spans, span.spanId, `${indent}  `),
    ];
  });
}

function valueOf({ attributes }: Span, key: string): unknown {
  const value = attributes.find((attribute) => attribute.key === key)?.value;
  return value?.stringValue ?? (value?.intValue !== undefined ? Number(value.intValue) : value?.doubleValue);
}

const MISSING = {
  memory: undefined,
  kv: undefined,
  redis: hasRedisServer ? undefined : "install redis-server",
  postgres: hasPostgresServer ? undefined : "install postgresql",
};
const backends = Object.entries(MISSING).map(([backend, missing]) => ({
  backend,
  missing,
  traceId: crypto.randomUUID().replaceAll("-", ""),
}));

/** What one process exports that uses one backend after the other, each in a trace of its own. */
async function exported(): Promise<readonly string[]> {
  await using stack = new AsyncDisposableStack();
  const otlp = stack.use(receiver());
  const args: string[] = [];
  for (const { backend, traceId } of backends.filter(({ missing }) => missing === undefined)) {
    const { folder } = stack.use(await Place.make(backend));
    args.push(backend, folder, `00-${traceId}-${CLIENT_SPAN}-01`);
  }
  const script = fileURLToPath(new URL("traced_call.ts", import.meta.url));
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-all", "--unstable-kv", script, ...args],
    env: {
      OTEL_DENO: "true",
      OTEL_DENO_CONSOLE: "ignore",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
    },
  }).output();
  assert(success);
  return otlp.bodies;
}

let shared: Promise<readonly string[]> | undefined;

for (const { backend, missing, traceId } of backends) {
  testUnless(missing, `one trace leads on ${backend} from the client's span to what the job's code does`, async () => {
    const bodies = await (shared ??= exported());
    const spans = spansOf(bodies).filter((span) => span.traceId === traceId);
    assertEquals(treeOf(spans, CLIENT_SPAN), [
      "SERVER tools/call report  linked",
      "  PRODUCER send report",
      "    CONSUMER process report  linked",
      "      INTERNAL query orders",
      "SERVER tools/call report  tool_error  linked",
      "  PRODUCER send report",
      "    CONSUMER process report  tool_error  linked",
      "      INTERNAL query orders",
    ]);
    const [call, sent, processed] = ["tools/call", "send", "process"].map((name) =>
      spans.find((span) => span.name === `${name} report`)
    );
    assert(call && sent && processed);
    assertEquals(
      ["mcp.method.name", "gen_ai.tool.name", "network.transport"].map((key) => valueOf(call, key)),
      ["tools/call", "report", "tcp"],
    );
    assertEquals(
      ["messaging.system", "messaging.destination.name", "mcp_jobs.attempt"].map((key) => valueOf(processed, key)),
      ["mcp_jobs", "report", 1],
    );
    assertEquals(valueOf(sent, "messaging.message.id"), valueOf(processed, "messaging.message.id"));
    assertEquals(bodies.filter((body) => body.includes("secret")), []);
  });
}
