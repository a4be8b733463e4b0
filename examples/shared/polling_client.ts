/**
 * A client of polling tools: it starts a task, polls its status until it has ended, and fetches the result. `baseline` and
 * `with_package` have the same tools, so both use it.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { printUpdate } from "./update.ts";

const Answer = z.object({
  token: z.string(),
  status: z.string(),
  progress: z.number().optional(),
  message: z.string().optional(),
  result: z.unknown().optional(),
});

/** Runs one report through `generate_report_start`, `_status` and `_result`. */
export async function pollReport(client: Client): Promise<void> {
  const call = async (tool: string, args: Record<string, unknown>) => {
    const { structuredContent, content } = await client.callTool({ name: tool, arguments: args });
    const answer = Answer.safeParse(structuredContent);
    if (answer.success) return answer.data;
    throw new Error(`${tool} failed: ${JSON.stringify(content)}`);
  };

  let answer = await call("generate_report_start", { user_id: "42" });
  const { token } = answer;
  printUpdate({ status: answer.status });
  while (!["COMPLETED", "FAILED", "CANCELLED"].includes(answer.status)) {
    await sleep(300);
    answer = await call("generate_report_status", { token });
    const { status, progress, message } = answer;
    printUpdate({ status, progress, message });
  }
  const { result } = await call("generate_report_result", { token });
  printUpdate({ result });
}
