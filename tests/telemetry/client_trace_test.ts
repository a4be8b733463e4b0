/** The trace that a client names with a call, where the process has no provider of OpenTelemetry. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { propagation } from "@opentelemetry/api";
import { AsyncToolServer, createWorker, defineJob, MemoryBackend } from "../../mod.ts";
import { injectedTrace } from "../../src/telemetry/spans.ts";
import { assertEquals } from "../../tools/std.ts";

const URL_OF_IT = new URL("http://localhost/mcp");
const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/** Calls a job that returns its trace, with each of these in `_meta` and with these headers, and returns the results. */
async function tracesOf(
  mode: "legacy" | { readonly pin: string },
  metas: readonly Record<string, unknown>[],
  headers: Record<string, string> = {},
): Promise<readonly unknown[]> {
  await using backend = new MemoryBackend();
  const traced = defineJob({
    name: "traced",
    input: { type: "object" },
    run: (_, { trace }) => ({ trace: trace ?? null }),
  });
  await using _worker = createWorker(backend, [traced]);
  await using stack = new AsyncDisposableStack();
  const server = new AsyncToolServer({ name: "traced", version: "1.0.0", backend });
  stack.defer(() => server.close());
  server.registerAsyncTool(traced);
  const client = new Client({ name: "traced", version: "1.0.0" }, { versionNegotiation: { mode } });
  stack.defer(() => client.close());
  const toServer = (url: string | URL, init?: RequestInit) => {
    const all = new Headers(init?.headers);
    for (const [name, value] of Object.entries({ host: URL_OF_IT.host, ...headers })) all.set(name, value);
    return server.fetch(new Request(url, { ...init, headers: all }));
  };
  await client.connect(new StreamableHTTPClientTransport(URL_OF_IT, { fetch: toServer }));
  const traces: unknown[] = [];
  for (const _meta of metas) {
    const { structuredContent } = await client.callTool({ name: "traced", arguments: {}, _meta });
    traces.push((structuredContent as { readonly trace: unknown }).trace);
  }
  return traces;
}

for (const [revision, mode] of [["2025-11-25", "legacy"], ["2026-07-28", { pin: "2026-07-28" }]] as const) {
  Deno.test(`the trace of a ${revision} call is stored with its task and known to its code: that of \`_meta\`, else of the headers`, async () => {
    const metas = [{ traceparent: PARENT, tracestate: "vendor=1" }, {}];
    const headers = { traceparent: OTHER, tracestate: "other=2" };
    assertEquals(await tracesOf(mode, metas, headers), [
      { traceparent: PARENT, tracestate: "vendor=1" },
      { traceparent: OTHER, tracestate: "other=2" },
    ]);
  });
}

Deno.test("a malformed trace is ignored, and so is a `tracestate` that is too long", async () => {
  const malformed = [
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    `${PARENT}-${"x".repeat(1_000)}`,
    "x".repeat(100_000),
  ];
  const metas = [...malformed.map((traceparent) => ({ traceparent })), {
    traceparent: PARENT,
    tracestate: `vendor=${"x".repeat(600)}`,
  }];
  assertEquals(await tracesOf("legacy", metas), [...malformed.map(() => null), { traceparent: PARENT }]);
});

Deno.test("a client gets the trace that the propagators of the process pass on, and none of their baggage", () => {
  assertEquals(injectedTrace(), {});
  for (const sent of [{ traceparent: PARENT, tracestate: "vendor=1" }, { traceparent: PARENT }]) {
    propagation.setGlobalPropagator({
      inject: (_, carrier) => void Object.assign(carrier as object, sent, { baggage: "user=ann" }),
      extract: (context) => context,
      fields: () => [],
    });
    try {
      assertEquals(injectedTrace(), sent);
    } finally {
      propagation.disable();
    }
  }
});
