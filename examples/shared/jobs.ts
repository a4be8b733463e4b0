/**
 * The job that every example runs: six seconds of work, with progress on the way.
 *
 * @module
 */
import { defineJob } from "@mcp-jobs/mcp-jobs";
import { setTimeout as work } from "node:timers/promises";
import { z } from "zod";

export const generateReport = defineJob({
  name: "generate_report",
  title: "Revenue report",
  description: "Generate a revenue report for one user.",
  input: z.object({ user_id: z.string().describe("The user's id") }),
  output: z.object({ user_id: z.string(), revenue: z.number(), items: z.number() }),
  run: async ({ user_id }, { progress, signal }) => {
    await work(1_500, undefined, { signal });
    await progress(0.25, "loading orders");
    await work(1_500, undefined, { signal });
    await progress(0.6, "adding up revenue");
    await work(1_500, undefined, { signal });
    await progress(0.9, "writing the report");
    await work(1_500, undefined, { signal });
    return { user_id, revenue: 42000, items: 17 };
  },
});
