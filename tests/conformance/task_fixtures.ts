/**
 * The jobs whose tools the ten `tasks-*` scenarios of the suite and those of logging call.
 *
 * @module
 */
import type { McpServer } from "@modelcontextprotocol/server";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { type AsyncToolServer, type JobContext, JobFault, ToolError } from "../../mod.ts";

/** Adds them. */
export function addTaskFixtures(server: AsyncToolServer): void {
  server.extend((mcp: McpServer) =>
    mcp.registerTool(
      "greet",
      { description: "Greets at once", inputSchema: z.object({ name: z.string() }) },
      ({ name }) => ({ content: [{ type: "text", text: `Hello, ${name}!` }] }),
    )
  );
  server.asyncTool({
    name: "slow_compute",
    description: "Sleeps, and says what it is called",
    input: z.object({ seconds: z.number().min(0), label: z.string().optional() }),
  }, async ({ seconds, label }, { signal }) => {
    await sleep(seconds * 1_000, undefined, { signal });
    return { label: label ?? "", seconds };
  });
  server.asyncTool({
    name: "failing_job",
    description: "Fails after a second",
    input: z.object({}),
    taskSupport: "required",
  }, async (_, { signal }) => {
    await sleep(1_000, undefined, { signal });
    throw new ToolError("This job always fails.");
  });
  server.asyncTool({
    name: "protocol_error_job",
    description: "Ends with a JSON-RPC error",
    input: z.object({}),
  }, () => {
    throw new JobFault("This job always breaks.", -32603);
  });
  server.asyncTool({
    name: "confirm_delete",
    description: "Asks before it deletes a file",
    input: z.object({ filename: z.string() }),
  }, async ({ filename }, ctx) => {
    const answer = await confirm(ctx, `Delete ${filename}?`);
    return { filename, deleted: answer.action === "accept" };
  });
  server.asyncTool({
    name: "multi_input",
    description: "Asks two things at once",
    input: z.object({}),
  }, async (_, ctx) => {
    const answers = await Promise.all([confirm(ctx, "Is the first thing right?"), confirm(ctx, "And the second?")]);
    return { actions: answers.map(({ action }) => action) };
  });
  for (const name of ["test_tool_with_logging", "test_logging_tool"]) {
    server.asyncTool({ name, description: "Logs three lines", input: z.object({}) }, async (_, ctx) => {
      for (const text of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
        await ctx.log(text);
      }
      return { logged: 3 };
    });
  }
  server.asyncTool({
    name: "test_tool_with_task",
    description: "Is told a name before it begins",
    input: z.object({ name: z.string() }),
    taskSupport: "required",
    askFor: { name: "What is your name?" },
  }, ({ name }) => ({ greeting: `Hello, ${name}!` }));
}

function confirm(ctx: JobContext, message: string) {
  return ctx.elicit({ message, schema: z.object({ confirm: z.boolean() }) });
}
