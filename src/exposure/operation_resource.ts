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
import { ofJob } from "./task_of_job.ts";
import { resultsOf } from "./answers/results.ts";
import { callResult } from "./answers/call_result.ts";
import type { CallAnswer, CallContext, ExposureStrategy, Surface } from "./surface.ts";
import { waitForCall } from "./waiting_calls.ts";

/** What {@linkcode OperationResourceStrategy} takes. */
export interface OperationResourceOptions {
  /**
   * Whether every change of a task is pushed to the client of 2025-11-25 that started it; default `false`. A 2026-07-28
   * client asks for it by itself.
   */
  readonly notifications?: boolean;
}

const OPTIONS: Rules<OperationResourceOptions> = { notifications: flag };

/**
 * Gives each job one tool that a client may call as a native MCP task, or plainly and wait; the result also stands at
 * `mcp://results/<job>/<task_id>`.
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

  /** Takes whether to push. Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options: OperationResourceOptions = {}) {
    checkOptions("OperationResourceStrategy", options, OPTIONS);
    const { notifications = false } = options;
    this.#notifications = notifications;
  }

  /** Gives a job its tool and its resource template. */
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
          wait(registered, tasks, ctx, () => tasks.start(registered, input, ctx.owner, ctx.client.ttl)),
        resume: (id, ctx, answer) =>
          wait(registered, tasks, ctx, async () => {
            const task = await ofJob(tasks, job.name, id, ctx.owner);
            await answer(task);
            return task;
          }),
        taskSupport: registered.taskSupport,
      }],
      templates: [resultsOf(registered, tasks)],
      tasks: {
        cancellable: cancel ? [job.name] : [],
        typed: job.outputSchema ? [job.name] : [],
        notifications: this.#notifications,
      },
    };
  }
}

/** A call whose client takes tasks becomes one. Any other call waits: its caller has no other handle on the work. */
function wait(
  registered: RegisteredJob,
  tasks: Tasks,
  ctx: CallContext,
  begin: () => Promise<TaskInfo>,
): Promise<CallAnswer> {
  return waitForCall(registered, tasks, ctx, begin, async (begun) => {
    if (ctx.client.tasks !== "none") return { kind: "task", task: begun };
    const task = await tasks.finish(begun, ctx.signal, ctx.onChange);
    return { kind: "result", result: callResult(task, await tasks.outcome(task)) };
  });
}
