/**
 * The operation + resource strategy: one tool per job, native MCP tasks, and the result as a resource.
 *
 * @module
 */
import { withoutAsked } from "../questions/input_fields.ts";
import { checkOptions, flag, type Rules } from "../options.ts";
import type { RegisteredJob } from "../registry.ts";
import type { TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { taskOfJob } from "./task_of_job.ts";
import { resultTemplate } from "./answers/results.ts";
import { callResult } from "./answers/call_result.ts";
import type { CallAnswer, CallContext, ExposureStrategy, Surface } from "./surface.ts";
import { startOptions, waitForCall } from "./waiting_calls.ts";

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
    const { name, title, description, job, cancel, askFor } = registered;
    return {
      tools: [{
        name,
        title,
        description,
        inputSchema: withoutAsked(job.inputSchema, askFor),
        outputSchema: job.outputSchema,
        annotations: job.annotations,
        askFor,
        call: (input, ctx) =>
          wait(registered, tasks, ctx, () => tasks.start(registered, input, ctx.owner, startOptions(ctx)), input),
        resume: (id, ctx, storeAnswers) =>
          wait(registered, tasks, ctx, async () => {
            const task = await taskOfJob(tasks, job.name, id, ctx.owner);
            await storeAnswers(task);
            return task;
          }),
        taskSupport: registered.taskSupport,
      }],
      templates: [resultTemplate(registered, tasks)],
      tasks: {
        cancellable: cancel ? [job.name] : [],
        typed: job.outputSchema ? [job.name] : [],
        notifications: this.#notifications,
      },
    };
  }
}

/** Answers with the task if the client accepts tasks. Otherwise waits for the result. */
function wait(
  registered: RegisteredJob,
  tasks: Tasks,
  ctx: CallContext,
  begin: () => Promise<TaskInfo>,
  input?: unknown,
): Promise<CallAnswer> {
  return waitForCall(registered, tasks, ctx, begin, async (begun) => {
    if (ctx.client.tasks !== "none") return { kind: "task", task: begun };
    const task = await tasks.finish(begun, ctx.signal, ctx.onChange);
    return { kind: "result", result: callResult(task, await tasks.outcome(task)) };
  }, input);
}
