/**
 * A server process of the HTTP benchmark: `http/server.ts noop` is the official SDK alone with a tool that does nothing;
 * `http/server.ts <backend> <folder>` is ours. Prints its URL, and serves until its stdin ends.
 */
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { AsyncToolServer, defineJob, OperationResourceStrategy } from "../../mod.ts";
import { openBackend } from "../../tools/place.ts";

const [name = "", folder = ""] = Deno.args;
const end = new AbortController();
Deno.stdin.readable.pipeTo(new WritableStream()).finally(() => end.abort());

if (name === "noop") {
  const handler = createMcpHandler(() => {
    const mcp = new McpServer({ name: "noop", version: "1.0.0" });
    mcp.registerTool("noop", { description: "Does nothing" }, () => ({ content: [{ type: "text", text: "done" }] }));
    return mcp;
  });
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    signal: end.signal,
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/mcp`),
  }, (request) => handler.fetch(request));
  await server.finished;
} else {
  const server = new AsyncToolServer({
    name: "bench",
    version: "1.0.0",
    backend: await openBackend(name, folder),
    strategy: new OperationResourceStrategy(),
    limits: {
      creationsPerMinute: Infinity,
      readsPerMinute: Infinity,
      requestsPerMinute: Infinity,
      openTasks: Infinity,
    },
    audit: () => {},
  });
  const forAbort = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  server.registerAsyncTool(defineJob({ name: "waits", input: { type: "object" } }));
  server.registerAsyncTool(
    defineJob({ name: "runs", input: { type: "object" }, run: (_, ctx) => forAbort(ctx.signal) }),
  );
  await server.run({
    transport: "http",
    port: 0,
    worker: { concurrency: 1 },
    onListen: (url) => console.log(url),
    signal: end.signal,
  });
}
