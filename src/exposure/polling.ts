/**
 * The polling strategy: four plain tools per job, for every client there is.
 *
 * @module
 */
import { withoutAsked } from "../questions/input_fields.ts";
import type { RegisteredJob } from "../registry.ts";
import type { JsonSchema } from "../schema/json_schema.ts";
import { validate } from "../schema/schema.ts";
import { isFinished } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { ofJob } from "./task_of_job.ts";
import { formatResponse, responseSchema } from "./answers/response.ts";
import { resultsOf } from "./answers/results.ts";
import type { CallAnswer, ExposureStrategy, Surface, SurfaceTool, ToolResult } from "./surface.ts";
import { answer, explained, responseOf, TOKEN_PROPERTY } from "./answers/token_answer.ts";

const TOKEN: JsonSchema = {
  type: "object",
  properties: { token: TOKEN_PROPERTY },
  required: ["token"],
  additionalProperties: false,
};

/**
 * Gives each job `<name>_start`, `<name>_status`, `<name>_result` and, where it may be cancelled, `<name>_cancel`.
 *
 * @example
 * ```ts
 * import { AsyncToolServer, MemoryBackend, PollingExposureStrategy } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * const server = new AsyncToolServer({
 *   name: "reports", version: "1.0.0", backend, strategy: new PollingExposureStrategy(),
 * });
 * ```
 */
export class PollingExposureStrategy implements ExposureStrategy {
  /** Gives a job its tools. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const cancel = registered.cancel ? [cancelTool(registered, tasks)] : [];
    return {
      tools: [startTool(registered, tasks), statusTool(registered, tasks), resultTool(registered, tasks), ...cancel],
      templates: [resultsOf(registered, tasks)],
    };
  }
}

function startTool(registered: RegisteredJob, tasks: Tasks): SurfaceTool {
  const { name, title = name, description, job, askFor } = registered;
  return {
    name: `${name}_start`,
    title: `${title}: start`,
    description: `${description}\n\nRuns in the background and may take minutes. Returns a token at once: ` +
      `ask ${name}_status how far it is, and fetch the result with ${name}_result once the status is COMPLETED.`,
    inputSchema: withoutAsked(job.inputSchema, askFor),
    outputSchema: responseSchema(job.outputSchema),
    annotations: { readOnlyHint: false, ...job.annotations },
    askFor,
    call: async (input, { owner }) => ({
      kind: "result",
      result: answer(formatResponse(await tasks.start(registered, input, owner))),
    }),
  };
}

function statusTool({ name, title = name, job }: RegisteredJob, tasks: Tasks): SurfaceTool {
  return {
    name: `${name}_status`,
    title: `${title}: status`,
    description: `Tells how far a ${name} task is. Ask again after a few seconds while the status is PENDING, ` +
      `RUNNING or RETRYING. COMPLETED: call ${name}_result. FAILED or CANCELLED: \`message\` says why. ` +
      "INPUT_REQUIRED: it waits for a person who has to answer in another client.",
    inputSchema: TOKEN,
    outputSchema: responseSchema(job.outputSchema),
    annotations: { readOnlyHint: true, idempotentHint: true },
    call: (input, { owner }) =>
      withToken(
        input,
        `${name}_status`,
        async (token) => answer(formatResponse(await ofJob(tasks, job.name, token, owner))),
      ),
  };
}

function resultTool({ name, title = name, job }: RegisteredJob, tasks: Tasks): SurfaceTool {
  return {
    name: `${name}_result`,
    title: `${title}: result`,
    description: `Fetches the result of a ${name} task whose status is COMPLETED. Called earlier, it is an error.`,
    inputSchema: TOKEN,
    outputSchema: responseSchema(job.outputSchema),
    annotations: { readOnlyHint: true, idempotentHint: true },
    call: (input, { owner }) =>
      withToken(input, `${name}_result`, async (token) => {
        const task = await ofJob(tasks, job.name, token, owner);
        if (isFinished(task)) return answer(await responseOf(task, tasks));
        const response = formatResponse(task);
        const next = task.status === "INPUT_REQUIRED" ? response.message : `Ask ${name}_status until it is COMPLETED.`;
        return answer({ ...response, error: `Not ready: the task is ${task.status}. ${next}` });
      }),
  };
}

function cancelTool({ name, title = name, job }: RegisteredJob, tasks: Tasks): SurfaceTool {
  return {
    name: `${name}_cancel`,
    title: `${title}: cancel`,
    description: `Cancels a ${name} task that is not finished. \`message\` says whether its work has stopped.`,
    inputSchema: TOKEN,
    outputSchema: responseSchema(job.outputSchema),
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    call: (input, { owner }) =>
      withToken(input, `${name}_cancel`, async (token) => {
        await ofJob(tasks, job.name, token, owner);
        return answer(formatResponse(await tasks.cancel(token, owner)));
      }),
  };
}

/** Reads the token of an input for a tool, and uses it. */
async function withToken(
  input: unknown,
  tool: string,
  use: (token: string) => Promise<ToolResult>,
): Promise<CallAnswer> {
  const { token } = await validate(TOKEN, input, `input for ${tool}`) as { token: string };
  return { kind: "result", result: await explained(token, () => use(token)) };
}
