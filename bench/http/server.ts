/**
 * A server process of the HTTP benchmark: `http/server.ts noop` is the official SDK alone with a tool that does nothing, and one that never ends;
 * `http/server.ts <backend> <folder>` is ours. Prints its URL, answers each line of its stdin with its memory, and serves until that ends.
 */
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { AdaptiveExposureStrategy, AsyncToolServer, defineJob, OperationResourceStrategy } from "../../mod.ts";
import { NO_LIMITS, openBackend } from "../../tools/place.ts";
import { answerWithMemory } from "../memory.ts";

const [name = "", folder = ""] = Deno.args;
const end = new AbortController();
let created = 0;
answerWithMemory(() => ({ created })).finally(() => end.abort());

if (name === "noop") {
  const handler = createMcpHandler(() => {
    const mcp = new McpServer({ name: "noop", version: "1.0.0" });
    mcp.registerTool("noop", { description: "Does nothing" }, () => ({ content: [{ type: "text", text: "done" }] }));
    mcp.registerTool("waits", { description: "Never ends" }, () => {
      created++;
      return new Promise(() => {});
    });
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
    limits: NO_LIMITS,
    audit: ({ event }) => void (event === "created" && created++),
  });
  const forAbort = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  const waits = defineJob({ name: "waits", input: { type: "object" } });
  const adaptive = new AdaptiveExposureStrategy({ answerWithin: 3_600_000 });
  server.registerAsyncTool(waits);
  server.registerAsyncTool(waits, { name: "waits_plainly", strategy: adaptive });
  server.registerAsyncTool(
    defineJob({ name: "ends", input: { type: "object" }, run: () => ({ done: true }) }),
    { strategy: adaptive },
  );
  server.registerAsyncTool(
    defineJob({ name: "runs", input: { type: "object" }, run: (_, ctx) => forAbort(ctx.signal) }),
  );
  await server.run({
    transport: "http",
    port: 0,
    worker: { concurrency: 64 },
    onListen: (url) => console.log(url),
    signal: end.signal,
  });
}
