/**
 * `task_cancel`: cancels a task.
 *
 * @module
 */
import type { Tasks } from "../../tasks/tasks.ts";
import { formatResponse, responseSchema, toToolResult } from "../answers/response.ts";
import type { SurfaceTool } from "../surface.ts";
import { tokenCall, tokenSchema } from "../answers/token_answer.ts";
import { findShared, lacksTasks, listFor, type SharedJobs, sharedNames } from "./jobs.ts";

export function cancelTool(prefix: string, jobs: SharedJobs, tasks: Tasks): SurfaceTool {
  const { cancel: name } = sharedNames(prefix);
  const schema = tokenSchema();
  return {
    name,
    title: "Cancel a task",
    description: "Cancels a task that is not finished. `message` says whether its work has stopped.",
    inputSchema: schema,
    outputSchema: responseSchema(),
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    listedTo: lacksTasks,
    call: tokenCall(name, schema, async ({ token }, { owner, client }) => {
      const { task, job } = await findShared(jobs, tasks, token, owner, listFor(client, prefix));
      if (job.registered.cancel) return toToolResult(formatResponse(await tasks.cancel(token, owner)));
      return toToolResult({ ...formatResponse(task), error: tasks.refuseCancel(task) });
    }),
  };
}
