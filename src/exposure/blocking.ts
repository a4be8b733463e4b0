/**
 * The blocking strategy: one tool per job, whose calls wait for the result up to a limit.
 *
 * @module
 */
import { TaskFinished, ToolError } from "../errors.ts";
import { checkOptions, type Rules, wholeNumber } from "../options.ts";
import type { RegisteredJob } from "../registry.ts";
import { isFinished, type TaskInfo } from "../task.ts";
import type { Caller } from "../tasks/callers/caller.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { resultForm } from "./answers/call_result.ts";
import { taskTemplates } from "./resources/templates.ts";
import type { CallAnswer, CallContext, ExposureStrategy, Surface } from "./surface.ts";
import { waitWhile } from "./waiting_calls.ts";
import { answerWithResult, waitingTool } from "./waiting_tool.ts";

/** The options of {@linkcode BlockingExposureStrategy}. */
export interface BlockingOptions {
  /** How long a call waits before it cancels its task, also that of a job with `cancel: false`, in ms. Default: 60,000. */
  readonly maxWait?: number;
}

const OPTIONS: Rules<BlockingOptions> = { maxWait: wholeNumber(1) };

/**
 * Gives each job one tool whose calls wait for the result. A task that has not ended within `maxWait` is cancelled, unless
 * another call waits for it, and the call says so. For short jobs whose callers want a result or nothing.
 *
 * @example
 * ```ts
 * import { AsyncToolServer, BlockingExposureStrategy, MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * const strategy = new BlockingExposureStrategy({ maxWait: 30_000 });
 * const server = new AsyncToolServer({ name: "reports", version: "1.0.0", backend, strategy });
 * ```
 */
export class BlockingExposureStrategy implements ExposureStrategy {
  readonly #maxWait: number;

  /** Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options: BlockingOptions = {}) {
    checkOptions("BlockingExposureStrategy", options, OPTIONS);
    this.#maxWait = options.maxWait ?? 60_000;
  }

  /** Returns the tool and the resource template of a job. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const form = resultForm(registered);
    const maxWait = this.#maxWait;
    const answer = async (begun: TaskInfo, ctx: CallContext, caller: Caller): Promise<CallAnswer> => {
      const waited = await waitWhile(() => true, begun, maxWait, tasks, ctx);
      const ended = isFinished(waited) ? waited : await cancelLate(waited, maxWait, tasks, caller);
      return await answerWithResult(ended, tasks, form);
    };
    // A task that starts after `maxWait` would be cancelled before it begins.
    return { tools: [waitingTool(registered, tasks, answer, maxWait)], templates: taskTemplates(registered, tasks) };
  }
}

/**
 * Cancels a task that has not ended in time, because its caller cannot read it later, and throws the error that says so.
 * Resolves with the task if it has ended by itself meanwhile. A task that other calls wait for goes on.
 */
async function cancelLate(
  { id, owner, job }: TaskInfo,
  maxWait: number,
  tasks: Tasks,
  caller: Caller,
): Promise<TaskInfo> {
  tasks.over.throwIfAborted(); // The server ends, and not the time of the call: the next call receives the task.
  const late = `${job} did not end within ${maxWait / 1_000} s`;
  if (await caller.leaveToOthers()) throw new ToolError(`${late}. It goes on for another caller.`);
  try {
    await tasks.cancel(id, owner, "It did not end in time.");
  } catch (error) {
    if (!(error instanceof TaskFinished)) throw error;
    return await tasks.get(id, owner);
  }
  throw new ToolError(`${late}, and was cancelled. Try it with a smaller input.`);
}
