/**
 * The operation + resource strategy: one tool per job, native MCP tasks, and the result as a resource.
 *
 * @module
 */
import { checkOptions, flag, type Rules } from "../options.ts";
import type { RegisteredJob } from "../registry.ts";
import type { TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { resultForm } from "./answers/call_result.ts";
import { taskTemplates } from "./answers/templates.ts";
import type { CallAnswer, CallContext, ExposureStrategy, ResultForm, Surface } from "./surface.ts";
import { answerWithResult, waitingTool } from "./waiting_tool.ts";

/** The options of {@linkcode OperationResourceStrategy}. */
export interface OperationResourceOptions {
  /**
   * Whether the client that started a task is notified of every change, in revision 2025-11-25. In revision 2026-07-28
   * clients subscribe themselves. Default: `false`.
   */
  readonly notifications?: boolean;
}

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
    const { notifications = false } = options;
    this.#notifications = notifications;
  }

  /** Returns the tool and the resource template of a job. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const { job, cancel, taskSupport, policy } = registered;
    const form = resultForm(registered);
    const answer = (task: TaskInfo, ctx: CallContext) => taskOrResult(task, tasks, ctx, form);
    return {
      tools: [{ ...waitingTool(registered, tasks, answer), taskSupport }],
      templates: taskTemplates(registered, tasks),
      tasks: {
        cancellable: cancel ? [job.name] : [],
        forms: new Map([[job.name, form]]),
        notifications: this.#notifications,
        ...(policy.whenNobodyCanAnswer === "cancel" && { cancelsQuestions: [job.name] }),
      },
    };
  }
}

/** Answers with the task if the client accepts tasks. Otherwise waits for the result. */
async function taskOrResult(
  task: TaskInfo,
  tasks: Tasks,
  ctx: CallContext,
  form: ResultForm,
): Promise<CallAnswer> {
  if (ctx.client.tasks !== "none") return { kind: "task", task };
  return await answerWithResult(await tasks.finish(task, ctx.signal, ctx.onChange), tasks, form);
}
