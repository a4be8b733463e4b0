/** What a tracing backend sees: a server with Deno's own provider sends its spans and metrics to a receiver in the test. */
import { fileURLToPath } from "node:url";
import { Place } from "../../tools/place.ts";
import { noOwnPostgres } from "../../tools/postgres_server.ts";
import { noOwnRedis } from "../../tools/redis_server.ts";
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
  readonly startTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly links?: readonly { readonly spanId: string }[];
  readonly status?: { readonly code?: number };
}

const KINDS = ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const CLIENT_SPAN = "b7ad6b7169203331";

/** Receives what is exported. */
class Receiver implements AsyncDisposable {
  readonly bodies: string[] = [];
  #came = Promise.withResolvers<void>();
  readonly #server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    this.bodies.push(await request.text());
    this.#came.resolve();
    return Response.json({});
  });

  readonly url = `http://127.0.0.1:${this.#server.addr.port}`;

  /** Resolves once what has come so far is enough. */
  async until(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      this.#came = Promise.withResolvers();
      await this.#came.promise;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.shutdown();
  }
}

/** A value of a metric, as OTLP has it in JSON. */
interface Point {
  readonly attributes: readonly Attribute[];
  readonly asInt?: string | number;
  readonly asDouble?: number;
  readonly count?: string | number;
}

/** A metric, as OTLP has it in JSON. */
interface Metric {
  readonly name: string;
  readonly sum?: Points;
  readonly gauge?: Points;
  readonly histogram?: Points;
}

interface Points {
  readonly dataPoints: readonly Point[];
}

/** What was exported at once. */
interface Export {
  readonly resourceMetrics?: readonly { readonly scopeMetrics: readonly { readonly metrics: readonly Metric[] }[] }[];
  readonly resourceSpans?: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[];
}

const parsed = new Map<string, Export>();

/** Parses a body, once: there are many, and every metric is looked for in all. */
function parse(body: string): Export {
  const known: Export = parsed.get(body) ?? JSON.parse(body);
  parsed.set(body, known);
  return known;
}

/** The newest values of a metric: of a histogram its count; by the values of its attributes, but for the job's name. */
function valuesOf(bodies: readonly string[], metric: string, job: string): Readonly<Record<string, number>> {
  const points = bodies.map(parse)
    .flatMap(({ resourceMetrics = [] }) => resourceMetrics)
    .flatMap(({ scopeMetrics }) => scopeMetrics).flatMap(({ metrics }) => metrics)
    .filter(({ name }) => name === metric)
    .flatMap(({ sum, gauge, histogram }) => (sum ?? gauge ?? histogram)?.dataPoints ?? []);
  const own = points.filter(({ attributes }) => attributes.some(({ value }) => value.stringValue === job));
  return Object.fromEntries(own.map((point) => {
    const others = point.attributes.filter(({ key, value }) => value.stringValue !== job && OWN.test(key));
    const name = others.map(({ value }) => value.stringValue).toSorted().join(" ");
    return [name, Number(point.asInt ?? point.asDouble ?? point.count)];
  }));
}

/** All values that a metric of a job has had. */
function everyValueOf(bodies: readonly string[], metric: string, job: string): readonly number[] {
  return bodies.flatMap((body) => Object.values(valuesOf([body], metric, job)));
}

/** The attributes that tell the values of a metric apart. */
const OWN = /^(mcp_jobs\.|error\.type$|mcp\.protocol\.version$)/;

/** The spans, in the order in which they began. */
function spansOf(bodies: readonly string[]): readonly Span[] {
  const spans = bodies.map(parse).flatMap(({ resourceSpans = [] }) => resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans);
  return spans.toSorted((one, other) => Number(BigInt(one.startTimeUnixNano) - BigInt(other.startTimeUnixNano)));
}

/** The spans of a trace as a tree of lines, below the span with this id. */
function treeOf(spans: readonly Span[], above: string, indent = ""): readonly string[] {
  return spans.filter(({ parentSpanId = "" }) => parentSpanId === above).flatMap((span) => {
    const failed = span.status?.code === 2 ? `  ${valueOf(span, "error.type")}` : "";
    const parked = span.attributes.some(({ key }) => key === "mcp_jobs.parked") ? "  parked" : "";
    const linked = span.links?.map(({ spanId }) =>
      spanId === above ? "  linked" : "  linked to the request"
    ).join("") ?? "";
    return [
      `${indent}${KINDS[span.kind]} ${span.name}${failed}${parked}${linked}`,
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
  redis: noOwnRedis,
  postgres: noOwnPostgres,
};
const backends = Object.entries(MISSING).map(([backend, missing]) => ({
  backend,
  missing,
  traceId: crypto.randomUUID().replaceAll("-", ""),
}));

/** What one process exports that uses one backend after the other, each in a trace of its own. */
async function exported(): Promise<readonly string[]> {
  await using stack = new AsyncDisposableStack();
  const otlp = stack.use(new Receiver());
  const used = backends.filter(({ missing }) => missing === undefined);
  const args: string[] = [];
  for (const { backend, traceId } of used) {
    const { folder } = stack.use(await Place.make(backend));
    args.push(backend, folder, `00-${traceId}-${CLIENT_SPAN}-01`);
  }
  const script = fileURLToPath(new URL("traced_call.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-all", "--unstable-kv", script, ...args],
    env: {
      OTEL_DENO: "true",
      OTEL_DENO_CONSOLE: "ignore",
      OTEL_METRIC_EXPORT_INTERVAL: "100",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
    },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const said = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const input = child.stdin.getWriter();
  for (const { backend } of used) {
    const { done } = await said.read();
    assert(!done, `Its process has ended on ${backend}.`);
    await otlp.until(() => valuesOf(otlp.bodies, "mcp_jobs.task.count", `order_${backend}`).completed === 2);
    await input.write(new TextEncoder().encode("next\n"));
  }
  await input.close();
  await said.cancel();
  assert((await child.status).success);
  return otlp.bodies;
}

let shared: ReturnType<typeof exported> | undefined;

/** Below the call of a job that fails once, sleeps, and asks: each time in another run. */
const ORDER = [
  "  PRODUCER send order",
  "    CONSUMER process order  job_error  linked",
  "    CONSUMER process order  linked",
  "      INTERNAL step load prices",
  "        INTERNAL fetch",
  "      INTERNAL sleep cool down  parked",
  "    CONSUMER process order  linked",
  "      INTERNAL elicit  parked",
  "    CONSUMER process order  linked",
  "      INTERNAL elicit",
];

/** Spans below that of the client, on every backend. A client may be notified more than once. */
const TREE = [
  "SERVER tools/call report  linked to the request",
  "  PRODUCER send report",
  "    CONSUMER process report  linked",
  "      INTERNAL query orders",
  "SERVER tools/call report  tool_error  linked to the request",
  "  PRODUCER send report",
  "    CONSUMER process report  tool_error  linked",
  "      INTERNAL query orders",
  "SERVER tools/call order  linked to the request",
  ...ORDER,
  "  CLIENT elicitation/create",
  "SERVER tools/call report  linked to the request",
  "  PRODUCER send report",
  "    CONSUMER process report  linked",
  "      INTERNAL query orders",
  "  CLIENT notifications/tasks/status",
  "SERVER tools/call order  linked to the request",
  ...ORDER,
  "CLIENT notifications/tasks  linked to the request",
];

/** How often each metric was recorded, by the values of its attributes. */
const RECORDED = {
  report: {
    "mcp_jobs.task.created": { "": 3 },
    "mcp_jobs.task.ended": { completed: 2, failed: 1 },
    "mcp_jobs.attempts": { completed: 2, tool_error: 1 },
    "mcp_jobs.task.time_to_start": { "": 3 },
    "mcp_jobs.task.time_to_end": { completed: 2, failed: 1 },
    "mcp.server.operation.duration": { "2025-11-25": 2, "2025-11-25 tool_error": 1 },
    "messaging.client.operation.duration": { "": 3 },
    "messaging.process.duration": { "": 2, tool_error: 1 },
  },
  order: {
    "mcp_jobs.task.created": { "": 2 },
    "mcp_jobs.task.ended": { completed: 2 },
    "mcp_jobs.attempts": { job_error: 2, parked: 4, completed: 2 },
    "mcp_jobs.task.time_to_start": { "": 2 },
    "mcp_jobs.task.time_to_end": { completed: 2 },
    "mcp.server.operation.duration": { "2025-11-25": 1, "2026-07-28": 1 },
    "messaging.client.operation.duration": { "": 2 },
    "messaging.process.duration": { "": 6, job_error: 2 },
  },
  hold: {
    "mcp_jobs.task.created": { "": 2 },
    "mcp_jobs.task.ended": { cancelled: 2 },
    "mcp_jobs.attempts": { cancelled: 1 },
    "mcp_jobs.task.time_to_start": { "": 1 },
    "mcp_jobs.task.time_to_end": { cancelled: 2 },
  },
};

const NONE = { pending: 0, running: 0, retrying: 0, input_required: 0, completed: 0, failed: 0, cancelled: 0 };

/** What the gauges say once all is done. */
const STANDING = {
  report: { "mcp_jobs.task.count": { ...NONE, completed: 2, failed: 1 } },
  order: { "mcp_jobs.task.count": { ...NONE, completed: 2 } },
};

for (const { backend, missing, traceId } of backends) {
  testUnless(
    missing,
    `one trace leads on ${backend} from the client's span to each step, wait and notification`,
    async () => {
      const bodies = await (shared ??= exported());
      const spans = spansOf(bodies).filter((span) => span.traceId === traceId);
      const tree = treeOf(spans, CLIENT_SPAN).map((line) => line.replace(`_${backend}`, ""));
      assertEquals(tree.filter((line, index) => !line.includes("notifications/") || line !== tree[index - 1]), TREE);
      const [call, sent, processed] = ["tools/call", "send", "process"].map((name) =>
        spans.find((span) => span.name === `${name} report_${backend}`)
      );
      assert(call && sent && processed);
      assertEquals(
        ["mcp.method.name", "mcp.protocol.version", "gen_ai.tool.name", "network.transport"].map((key) =>
          valueOf(call, key)
        ),
        ["tools/call", "2025-11-25", `report_${backend}`, "tcp"],
      );
      assertEquals(
        ["messaging.system", "messaging.destination.name", "mcp_jobs.attempt", "mcp_jobs.run.end"].map((key) =>
          valueOf(processed, key)
        ),
        ["mcp_jobs", `report_${backend}`, 1, "completed"],
      );
      assertEquals(valueOf(sent, "messaging.message.id"), valueOf(processed, "messaging.message.id"));
      const steps = ["step load prices", "sleep cool down"].map((name) => spans.find((span) => span.name === name));
      assertEquals(steps.map((span) => span && valueOf(span, "mcp_jobs.step.name")), ["load prices", "cool down"]);
      const asked = spans.filter(({ name }) => name === "elicit").map((span) => [
        valueOf(span, "mcp_jobs.question.mode"),
        valueOf(span, "mcp_jobs.answer.action"),
      ]);
      assertEquals(asked, [["form", undefined], ["form", "accept"], ["form", undefined], ["form", "accept"]]);
    },
  );

  testUnless(
    missing,
    `tasks on ${backend} are counted and measured once each, and the gauges say how they stand`,
    async () => {
      const bodies = await (shared ??= exported());
      for (const [job, metrics] of Object.entries(RECORDED)) {
        for (const [metric, values] of Object.entries(metrics)) {
          assertEquals(valuesOf(bodies, metric, `${job}_${backend}`), values, `${metric} of ${job}`);
        }
      }
      for (const [job, metrics] of Object.entries(STANDING)) {
        const standing = {
          ...metrics,
          "mcp_jobs.task.parked": { "": 0 },
          "mcp_jobs.queue.age": { "": 0 },
        };
        // One export may come between the end of the worker and that of its store, and then counts none.
        assertEquals(everyValueOf(bodies, "mcp_jobs.worker.count", `${job}_${backend}`).includes(1), true);
        for (const [metric, values] of Object.entries(standing)) {
          assertEquals(valuesOf(bodies, metric, `${job}_${backend}`), values, `${metric} of ${job}`);
        }
      }
    },
  );
}

Deno.test("nothing that is exported holds an input, a question, an answer, a result or the text of an error", async () => {
  const bodies = await (shared ??= exported());
  assert(
    bodies.some((body) => body.includes("resourceSpans")) && bodies.some((body) => body.includes("resourceMetrics")),
  );
  assertEquals(bodies.filter((body) => body.includes("secret")), []);
});
