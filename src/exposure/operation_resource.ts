/**
 * The operation + resource strategy: one tool per job, native MCP tasks, and the result as a resource.
 *
 * @module
 */
import { checkOptions, flag, type Rules } from "../options.ts";
import type { RegisteredJob } from "../registry.ts";
import { isFinished, type TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { awaitsModel } from "./answers/asking.ts";
import { resultForm } from "./answers/call_result.ts";
import { nextWith } from "./answers/next_step.ts";
import { formatResponse, toToolResult } from "./answers/response.ts";
import { taskTemplates } from "./resources/templates.ts";
import { resourceUri } from "./resources/uris.ts";
import { answeringOf } from "./shared_tools/answering.ts";
import { askingOf } from "./shared_tools/jobs.ts";
import type { CallAnswer, CallContext, ExposureStrategy, Surface } from "./surface.ts";
import { answerWithResult, nativeTasks, waitingTool } from "./waiting_tool.ts";

/** The options of {@linkcode OperationResourceStrategy}. */
export interface OperationResourceOptions {
  /**
   * Whether the client that started a task is notified of every change, in revision 2025-11-25. In revision 2026-07-28
   * clients subscribe themselves. Default: `false`.
   */
  readonly notifications?: boolean;
}

/** How long `task_answer` waits for the result, in ms, where the registration does not say. */
const ANSWER_WITHIN_MS = 25_000;

const OPTIONS: Rules<OperationResourceOptions> = { notifications: flag };

/**
 * Gives each job one tool, which a client calls as a native MCP task, or as a plain tool that waits for the result. The
 * result is also the resource `mcp://results/<job>/<task_id>`.
 *
 * @example
 * ```ts
 * import { AsyncToolServer, MemoryBackend, OperationResourceStrategy } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * const server = new AsyncToolServer({
 *   name: "reports", version: "1.0.0", backend, strategy: new OperationResourceStrategy({ notifications: true }),
 * });
 * ```
 */
export class OperationResourceStrategy implements ExposureStrategy {
  readonly #notifications: boolean;

  /** Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options: OperationResourceOptions = {}) {
    checkOptions("OperationResourceStrategy", options, OPTIONS);
    this.#notifications = options.notifications ?? false;
  }

  /** Returns the tool and the resource template of a job. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const { taskSupport, answerWithin = ANSWER_WITHIN_MS } = registered;
    const form = resultForm(registered);
    const answer = async (begun: TaskInfo, { client, signal, onChange }: CallContext): Promise<CallAnswer> => {
      if (client.tasks !== "none") return { kind: "task", task: begun };
      const asking = askingOf(client, registered);
      // If a model has to pass on an answer first, it gets a handle.
      const task = await tasks.waitFrom(begun, { signal, onChange, condition: (now) => !awaitsModel(now, asking) });
      if (isFinished(task)) return await answerWithResult(task, tasks, form);
      const next = nextWith(task, readResult(task), asking);
      return { kind: "result", result: toToolResult({ ...formatResponse(task, undefined, asking), next }) };
    };
    return {
      tools: [{ ...waitingTool(registered, tasks, answer), taskSupport }],
      templates: taskTemplates(registered, tasks),
      ...answeringOf(registered, { form, answerWithin, read: readResult }),
      tasks: nativeTasks(registered, this.#notifications),
    };
  }
}

/** How a model gets the result of a task that its call no longer waits for. */
function readResult(task: Pick<TaskInfo, "id" | "job">): string {
  return `read the resource ${resourceUri(task)}`;
}
