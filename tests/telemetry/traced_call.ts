/**
 * A server with a worker, and a client that calls it: `traced_call.ts <backend> <folder> <traceparent>`, more than once to use
 * several backends. Its spans go where OTEL_EXPORTER_OTLP_ENDPOINT says.
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { trace } from "@opentelemetry/api";
import { AsyncToolServer, defineJob, ToolError } from "../../mod.ts";
import { openBackend } from "../../tools/place.ts";

const report = defineJob({
  name: "report",
  input: { type: "object", properties: { secret: { type: "string" } } },
  run: ({ secret }) =>
    trace.getTracer("the job").startActiveSpan("query orders", (span) => {
      span.end();
      if (secret === "secret and bad") throw new ToolError(`Cannot use ${secret}.`);
      return { secret };
    }),
});

for (const args = [...Deno.args]; args.length > 0;) {
  const [backend = "", folder = "", traceparent = ""] = args.splice(0, 3);
  await callOn(backend, folder, traceparent);
}

async function callOn(name: string, folder: string, traceparent: string): Promise<void> {
  await using backend = await openBackend(name, folder);
  const server = new AsyncToolServer({ name: "traced", version: "1.0.0", backend, audit: () => {} });
  server.registerAsyncTool(report);
  const url = Promise.withResolvers<string>();
  const end = new AbortController();
  const running = server.run({ transport: "http", port: 0, worker: {}, onListen: url.resolve, signal: end.signal });
  const client = new Client({ name: "traced", version: "1.0.0" });
  await client.connect(new StreamableHTTPClientTransport(new URL(await url.promise)));
  for (const secret of ["secret and good", "secret and bad"]) {
    await client.callTool({ name: "report", arguments: { secret }, _meta: { traceparent } });
  }
  await client.close();
  end.abort();
  await running;
}
