import { AsyncToolServer, type Backend, BlockingExposureStrategy, defineJob } from "@mcp-jobs/mcp-jobs";
import { setTimeout as work } from "node:timers/promises";
import { z } from "zod";

// @app.task(bind=True)
// def generate_report(self, user_id: str) -> dict:
export const generateReport = defineJob({
  name: "generate_report",
  description: "Generate a report",
  input: z.object({ user_id: z.string() }),
  attempts: 1, // as in Celery, where a task that fails is not tried again
  run: async ({ user_id }, ctx) => {
    await ctx.progress(0.5, "adding up"); // self.update_state(state="PROGRESS", meta={"progress": 0.5})
    await work(200, undefined, { signal: ctx.signal });
    return { user_id, revenue: 42_000 };
  },
});

// server = AsyncToolServer("reports", celery_app=app, strategy=BlockingExposureStrategy(max_wait=15.0))
// server.register_async_tool(generate_report, result_ttl=300)
export function newReportServer(backend: Backend): AsyncToolServer {
  const strategy = new BlockingExposureStrategy({ maxWait: 15_000 });
  const server = new AsyncToolServer({ name: "reports", version: "1.0.0", backend, strategy });
  server.registerAsyncTool(generateReport, { resultTtl: 300_000 });
  return server;
}
