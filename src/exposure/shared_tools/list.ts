/**
 * `task_list`: lists the tasks of an owner.
 *
 * @module
 */
import type { JsonSchema } from "../../schema/json_schema.ts";
import { validate } from "../../schema/schema.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { formatResponse } from "../answers/response.ts";
import type { SurfaceTool } from "../surface.ts";
import { askingOf, lacksTasks, type SharedJobs, sharedNames } from "./jobs.ts";

export function listTool(prefix: string, jobs: SharedJobs, tasks: Tasks): SurfaceTool {
  const { list: name, status } = sharedNames(prefix);
  const schema: JsonSchema = {
    type: "object",
    properties: { cursor: { type: "string", description: "The next_cursor of the page before" } },
    additionalProperties: false,
  };
  return {
    name,
    title: "List tasks",
    description: `Lists your tasks, the newest first, with their tokens. ${status} reads one.`,
    inputSchema: schema,
    outputSchema: {
      type: "object",
      properties: {
        tasks: { type: "array", items: { type: "object" }, description: "Job, token, status, progress and message" },
        next_cursor: { type: "string", description: "Pass it as cursor for the next page" },
      },
      required: ["tasks"],
    },
    annotations: { readOnlyHint: true, idempotentHint: true },
    // Callers without a known principal would see each other's tasks.
    listedTo: (client) => client.known && lacksTasks(client),
    call: async (input, { owner, client }) => {
      const { cursor } = await validate(schema, input, `input for ${name}`) as { readonly cursor?: string };
      const page = await tasks.list(owner, cursor);
      const own = page.tasks.flatMap((task) => {
        const found = jobs.get(task.job);
        if (found === undefined) return [];
        // The message says in brief what a task asks; the forms of a whole page would not fit into an answer.
        const { questions: _, ...shown } = formatResponse(task, undefined, askingOf(client, found.registered, prefix));
        return [{ job: task.job, ...shown }];
      });
      const data = {
        tasks: own,
        ...(page.nextCursor !== undefined && { next_cursor: page.nextCursor }),
      };
      return {
        kind: "result",
        result: { content: [{ type: "text", text: JSON.stringify(data) }], structuredContent: data },
      };
    },
  };
}
