// jobs.ts: defines the jobs, for the server and the workers.
import { defineJob } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

export const generateReport = defineJob({
  name: "generate_report",
  description: "Generate a revenue report for one user",
  input: z.object({ user_id: z.string() }),
});
