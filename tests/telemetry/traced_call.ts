/**
 * A server with a worker, and clients that call it: `traced_call.ts <backend> <folder> <traceparent>`, more than once to use
 * several backends. What it measures goes where OTEL_EXPORTER_OTLP_ENDPOINT says. After each backend it writes a line, and
 * waits for one.
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { ElicitRequestSchema, ResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { trace } from "@opentelemetry/api";
import { z } from "zod";
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  type Backend,
  createClient,
  createWorker,
  defineJob,
  type Job,
  ToolError,
} from "../../mod.ts";
import { openBackend } from "../../tools/place.ts";
import { Events, request, TASKS } from "../mcp/support/modern.ts";

const SECRET = { type: "object", properties: { secret: { type: "string" } } } as const;

/** Ends at once: well, or badly. */
function reportOf(backend: string): Job<{ secret?: unknown }> {
  return defineJob({
    name: `report_${backend}`,
    input: SECRET,
    run: ({ secret }, ctx) => {
      const run = trace.getActiveSpan()?.spanContext().spanId;
      if (run !== ctx.trace?.traceparent.split("-")[2]) throw new Error("The context names another span.");
      return trace.getTracer("the job").startActiveSpan("query orders", (span) => {
        span.end();
        if (secret === "secret and bad") throw new ToolError(`Cannot use ${secret}.`);
        return { secret };
      });
    },
  }) as Job<{ secret?: unknown }>;
}

/** Fails once, takes a step, sleeps without a worker, and asks. */
function orderOf(backend: string): Job<{ secret?: unknown }> {
  return defineJob({
    name: `order_${backend}`,
    input: SECRET,
    attempts: 2,
    backoff: { delay: 1 },
    parkAfter: 0,
    run: async ({ secret }, ctx) => {
      if (ctx.attempt === 1) throw new Error(`Not ${secret} today.`);
      await ctx.step("load prices", () => trace.getTracer("the job").startActiveSpan("fetch", (span) => span.end()));
      await ctx.sleep("cool down", 500); // Long enough to be parked on a slow machine, too.
      const answer = await ctx.elicit({ message: `Order ${secret}?`, schema: z.object({ note: z.string() }) });
      return { secret, answer };
    },
  }) as Job<{ secret?: unknown }>;
}

const line = new TextDecoderStream();
const lines = Deno.stdin.readable.pipeThrough(line).getReader();

for (const args = [...Deno.args]; args.length > 0;) {
  const [backend = "", folder = "", traceparent = ""] = args.splice(0, 3);
  await callOn(backend, folder, traceparent);
}
await lines.cancel();

async function callOn(name: string, folder: string, traceparent: string): Promise<void> {
  await using backend = await openBackend(name, folder);
  const strategy = new AdaptiveExposureStrategy({ notifications: true });
  const server = new AsyncToolServer({ name: "traced", version: "1.0.0", backend, strategy, audit: () => {} });
  server.registerAsyncTool(reportOf(name));
  server.registerAsyncTool(orderOf(name));
  await using worker = createWorker(backend, server.registry.list().map(({ job }) => job));
  await worker.ready;
  // Deno has a span for each of its requests; `run` has none.
  const http = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, server.fetch);
  const url = new URL(`http://127.0.0.1:${http.addr.port}/mcp`);
  await callPlain(url, name, traceparent);
  await callAsTask(url, name, traceparent);
  await subscribe(url, name, traceparent);
  await cancelTwo(backend, name);
  await Deno.stdout.write(new TextEncoder().encode("done\n"));
  await lines.read();
  await server.close();
  await http.shutdown();
}

/** Plain calls, one of which asks. */
async function callPlain(url: URL, name: string, traceparent: string): Promise<void> {
  const client = new Client({ name: "traced", version: "1.0.0" }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { note: "secret note" } }));
  await client.connect(new StreamableHTTPClientTransport(url));
  const _meta = { traceparent };
  for (const secret of ["secret and good", "secret and bad"]) {
    await client.callTool({ name: `report_${name}`, arguments: { secret }, _meta });
  }
  await client.callTool({ name: `order_${name}`, arguments: { secret: "secret order" }, _meta });
  await client.close();
}

/** A task of revision 2025-11-25, whose client is notified of every change. */
async function callAsTask(url: URL, name: string, traceparent: string): Promise<void> {
  const client = new Client({ name: "traced", version: "1.0.0" });
  const ended = Promise.withResolvers<void>();
  client.fallbackNotificationHandler = ({ params }) => {
    if (params?.status === "completed") ended.resolve();
    return Promise.resolve();
  };
  await client.connect(new StreamableHTTPClientTransport(url));
  const params = { name: `report_${name}`, arguments: { secret: "secret task" }, task: {}, _meta: { traceparent } };
  await client.request({ method: "tools/call", params }, ResultSchema);
  await ended.promise;
  await client.close();
}

/** Two tasks that are cancelled: one that runs, and one that has not begun. */
async function cancelTwo(backend: Backend, name: string): Promise<void> {
  using client = createClient(backend, { owner: "secret owner" });
  const begun = Promise.withResolvers<void>();
  const hold = defineJob({
    name: `hold_${name}`,
    input: SECRET,
    run: async (_, { signal }) => {
      begun.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      signal.throwIfAborted();
    },
  });
  await using worker = createWorker(backend, [hold]);
  await worker.ready;
  const [running, waiting] = [
    await client.start(hold, { secret: "secret hold" }),
    await client.start(hold, {}, { startAt: new Date(Date.now() + 3_600_000) }),
  ];
  await begun.promise;
  for (const { id } of [running, waiting]) await client.cancel(id);
}

/** A task of revision 2026-07-28, to which a client subscribes. */
async function subscribe(url: URL, name: string, traceparent: string): Promise<void> {
  const ask = async (method: string, params: Record<string, unknown>) => {
    const sent = request(url, method, params, TASKS);
    const body = await sent.json();
    Object.assign(body.params._meta, { traceparent });
    const { headers } = sent;
    return new Events(await fetch(url, { method: "POST", headers, body: JSON.stringify(body) }));
  };
  await using calling = await ask("tools/call", {
    name: `order_${name}`,
    arguments: { secret: "secret subscription" },
  });
  const { result } = await calling.next(({ result }) => result !== undefined);
  await using listening = await ask("subscriptions/listen", { notifications: { taskIds: [result?.taskId] } });
  const asked = await listening.next(({ params }) => params?.status === "input_required");
  const [key = ""] = Object.keys(asked.params?.inputRequests ?? {});
  const inputResponses = { [key]: { action: "accept", content: { note: "secret answer" } } };
  await using answering = await ask("tasks/update", { taskId: result?.taskId, inputResponses });
  await answering.next();
  await listening.next(({ params }) => params?.status === "completed");
}
