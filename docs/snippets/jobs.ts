// jobs.ts: what there is to do, for the server and the workers.
import { defineJob } from "@mcp-jobs/mcp-jobs";
import { setTimeout as work } from "node:timers/promises";
import { z } from "zod";

export const generateReport = defineJob({
  name: "generate_report",
  description: "Generate a revenue report for one user",
  input: z.object({ user_id: z.string() }),
  run: async ({ user_id }, { progress, signal }) => {
    await progress(0.25, "loading orders");
    await work(500, undefined, { signal }); // pass the signal on: it aborts when the task is cancelled
    await progress(0.9, "writing the report");
    return { user_id, revenue: 42000, items: 17 };
  },
});
