/**
 * For comparison: the four tools of one job, written by hand on a queue and the official SDK. Every further job needs all
 * of this again; compare `with_package/server.ts`.
 */
import { McpServer } from "@modelcontextprotocol/server";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { newTaskId } from "@mcp-jobs/mcp-jobs/backend";
import { isFinished, JobsError, type TaskInfo } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";
import { openBackend } from "../shared/backend.ts";

const OWNER = "local";
const backend = await openBackend();
const mcp = new McpServer({ name: "baseline", version: "1.0.0" });

const tokenInput = z.object({ token: z.string().describe("The token that the start tool returned") });
const outputSchema = z.object({
  token: z.string(),
  status: z.string(),
  progress: z.number().optional(),
  message: z.string().optional(),
  result: z.unknown().optional(),
  error: z.string().optional(),
});
type Answer = z.infer<typeof outputSchema>;

function reply(answer: Answer) {
  return {
    content: [{ type: "text" as const, text: JSON.stringify(answer) }],
    structuredContent: answer,
    ...(answer.error !== undefined && { isError: true }),
  };
}

function describe({ id, status, progress, message }: TaskInfo): Answer {
  return { token: id, status, ...(progress !== undefined && { progress }), ...(message !== undefined && { message }) };
}

/** Turns an error into a tool result, since the model reads nothing else. */
async function explained(token: string, answer: () => Promise<Answer>) {
  try {
    return reply(await answer());
  } catch (error) {
    if (error instanceof JobsError) return reply({ token, status: "UNKNOWN", error: error.message });
    throw error;
  }
}

mcp.registerTool("generate_report_start", {
  description: "Start a revenue report for one user. Returns a token at once: call generate_report_status with it.",
  inputSchema: z.object({ user_id: z.string() }),
  outputSchema,
}, async (input) => {
  const task = await backend.create({
    id: newTaskId(),
    job: "generate_report",
    owner: OWNER,
    input,
    resultTtl: 3_600_000,
    retry: { attempts: 3, delay: 1_000, maxDelay: 60_000 },
  });
  return reply({ token: task.id, status: task.status });
});

mcp.registerTool("generate_report_status", {
  description: "Get the status of a report. Once it is COMPLETED, call generate_report_result.",
  inputSchema: tokenInput,
  outputSchema,
  annotations: { readOnlyHint: true },
}, ({ token }) => explained(token, async () => describe(await backend.get(token, OWNER))));

mcp.registerTool("generate_report_result", {
  description: "Fetch the result of a COMPLETED report.",
  inputSchema: tokenInput,
  outputSchema,
  annotations: { readOnlyHint: true },
}, ({ token }) =>
  explained(token, async () => {
    const task = await backend.get(token, OWNER);
    const { status } = task;
    if (!isFinished(task)) return { token, status, error: `Not ready, it is ${status}. Call generate_report_status.` };
    const outcome = await backend.outcome(token, OWNER);
    return outcome.kind === "value"
      ? { token, status, result: outcome.value }
      : { token, status, error: outcome.message };
  }));

mcp.registerTool("generate_report_cancel", {
  description: "Cancel a report that is not finished.",
  inputSchema: tokenInput,
  outputSchema,
  annotations: { destructiveHint: true },
}, ({ token }) => explained(token, async () => describe(await backend.cancel(token, OWNER, 2_000))));

const closed = Promise.withResolvers<void>();
mcp.server.onclose = () => closed.resolve();
await mcp.connect(new StdioServerTransport());
await closed.promise;
await backend.close();
