/**
 * The polling strategy: four plain tools per job, for every client there is.
 *
 * @module
 */
import { withoutAsked } from "../questions/input_fields.ts";
import { TaskFinished, TaskNotFound, TaskNotReady } from "../errors.ts";
import type { RegisteredJob } from "../registry.ts";
import { type JsonSchema, validate } from "../schema/schema.ts";
import { wellFormed } from "../json.ts";
import { cutToFit, fits } from "../message_size.ts";
import { isFinished, type TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { headOf, tooLarge } from "./fitted.ts";
import { ofJob } from "./task_of_job.ts";
import { formatResponse, type PollingResponse, responseSchema } from "./response.ts";
import { resultsOf } from "./results.ts";
import { type ExposureStrategy, resourceUri, type Surface, type SurfaceTool, type ToolResult } from "./surface.ts";

const TOKEN: JsonSchema = {
  type: "object",
  properties: { token: { type: "string", description: "The token that the start tool returned" } },
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
    call: async (input, { owner }) => answer(formatResponse(await tasks.start(registered, input, owner))),
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
      explained(
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
      explained(input, `${name}_result`, async (token) => {
        const task = await ofJob(tasks, job.name, token, owner);
        if (isFinished(task)) return answer(sendable(task, formatResponse(task, await tasks.outcome(task))));
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
      explained(input, `${name}_cancel`, async (token) => {
        await ofJob(tasks, job.name, token, owner);
        return answer(formatResponse(await tasks.cancel(token, owner)));
      }),
  };
}

/** How many bytes an error may have: with the rest of its response, and its beginning once more as text, it fits. */
const MAX_ERROR_BYTES = 730_000;

/** A response as it is, if a message can carry it. Else the beginning of its result, and the way to the whole. */
function sendable(task: TaskInfo, response: PollingResponse): PollingResponse {
  if (fits(response)) return response;
  const { result, error, ...rest } = response;
  if (error !== undefined) return { ...rest, error: cutToFit(error, MAX_ERROR_BYTES) };
  const resource = resourceUri(task);
  return { ...rest, message: headOf(JSON.stringify(result), tooLarge(resource)), resource };
}

/** What the model can mend is an error result, not an error of the protocol. */
async function explained(
  input: unknown,
  tool: string,
  use: (token: string) => Promise<ToolResult>,
): Promise<ToolResult> {
  const { token } = await validate(TOKEN, input, `input for ${tool}`) as { token: string };
  try {
    return await use(token);
  } catch (error) {
    if (error instanceof TaskNotFound) return failure(error.message);
    if (error instanceof TaskFinished || error instanceof TaskNotReady) {
      return answer({ token, status: error.status, error: error.message });
    }
    throw error;
  }
}

function answer(response: PollingResponse): ToolResult {
  const text = JSON.stringify(wellFormed(response));
  return {
    content: [{ type: "text", text }],
    structuredContent: JSON.parse(text),
    ...(response.error !== undefined && { isError: true }),
  };
}

function failure(error: string): ToolResult {
  return { content: [{ type: "text", text: error }], isError: true };
}
