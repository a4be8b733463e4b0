// embed.ts: offers a job inside an existing HTTP server, and runs it in the same process.
import { AsyncToolServer, createWorker, DenoKvBackend, implement } from "@mcp-jobs/mcp-jobs";
import { generateReport } from "./jobs.ts";

const backend = await DenoKvBackend.open({ path: "./data/jobs.kv" });
const mcp = new AsyncToolServer({
  name: "reports",
  version: "1.0.0",
  backend,
  audit: "stderr", // only `run` logs by default
});
const report = implement(generateReport, ({ user_id }) => ({ user_id, revenue: 42000, items: 17 }));
mcp.registerAsyncTool(report);
const worker = createWorker(backend, [report]);

// `/.well-known/oauth-protected-resource` is for `authenticate`. `fetch` answers every other path as MCP, so pass on only
// these.
const OURS = /^\/(mcp|healthz|\.well-known\/oauth-protected-resource(\/.*)?)$/;

const http = Deno.serve({ port: Number(Deno.env.get("PORT") ?? 8000), hostname: "127.0.0.1" }, (request, info) => {
  if (OURS.test(new URL(request.url).pathname)) return mcp.fetch(request, info);
  return new Response("My own pages.\n");
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, stop);

// In this order: running tasks are handed back, streams and the backend are closed, and then nothing holds the port.
async function stop(): Promise<void> {
  await worker.close(0);
  await mcp.close();
  await http.shutdown();
}
